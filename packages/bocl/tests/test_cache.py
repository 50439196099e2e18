"""A task's samples: earlier features are the same on demand and held, and not asked for in vain."""

from __future__ import annotations

import pytest
import torch
from grown_networks import BASES, SHAPES, grow, made_samples

from bocl import seeds
from bocl.cache import Batch, FeatureCache, kept_inputs
from bocl.candidate import Candidate
from bocl.growth import Growth
from bocl.network import Network
from bocl.trunks.architectures import make_trunk
from bocl.views import View


def two_blocks(trunk: str) -> Network:
    network = Network(make_trunk(trunk, SHAPES[trunk], BASES[trunk]))
    grow(network, Growth(BASES[trunk], reuse=False))
    grow(network, Growth((2,) * len(BASES[trunk])), seed=1)
    return network


@pytest.mark.parametrize("trunk", SHAPES)
def test_features_of_a_batch_are_the_same_on_demand_and_held(trunk):
    network = two_blocks(trunk)
    levels = range(1, len(network.trunk.levels) + 1)
    offered = [[torch.arange(1), torch.arange(width)] for _, width in map(network.widths, levels)]
    samples = made_samples(12, SHAPES[trunk])
    images = len(SHAPES[trunk]) == 3
    whole = FeatureCache(network, samples, View(), None, offered=offered, flips=images)
    part = whole.part(range(4, 12))
    rows = torch.tensor([5, 0, 3])
    asked = part.batch(rows, seeds.generator("coin")).old
    whole.hold()
    held = part.batch(rows, seeds.generator("coin")).old
    assert [tuple(features.shape) for features in held] == [
        (3, 1 + network.widths(level)[1], *network.trunk.levels[level - 1].places)
        for level in levels
    ]
    for ours, theirs in zip(asked, held, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_the_first_network_sees_every_input_that_changes_whatever_its_size():
    entry = torch.randn(50, 6, generator=seeds.generator("inputs"))
    entry[:, 1] *= 1e6
    entry[:, 2] *= 1e-6
    entry[:, 4] = 3.0
    assert kept_inputs(entry, 1.0).tolist() == [0, 1, 2, 3, 5]
    assert kept_inputs(entry, 0.9).tolist() == [1]
    assert kept_inputs(entry[:, :4], 1.0) is None


def test_a_growth_that_reads_nothing_asks_for_no_features():
    network = two_blocks("lenet")
    candidate = Candidate(
        network.trunk,
        Growth(BASES["lenet"]),
        classes=3,
        inputs=network.trunk.input_units,
        old_units=[[0, 0], [0, 0], network.widths(3)],
        gate_kind="none",
    )
    whole = candidate.initial(seeds.generator(0))
    samples = made_samples(5, SHAPES["lenet"])

    def asked():
        raise LookupError

    batch = Batch(samples.inputs, samples.targets, asked)
    alone, reading = Growth(BASES["lenet"], reuse=False), Growth((0, 0, 0))
    candidate.logits(candidate.slice(whole, alone), alone, batch)
    with pytest.raises(LookupError):
        candidate.logits(candidate.slice(whole, reading), reading, batch)
