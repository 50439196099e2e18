"""Blocks against a slow dense reference, gates at the identity, and old logits bit by bit."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from dense_reference import dense_logits
from grown_networks import BASES, SHAPES, grow, growths
from hypothesis import given, settings
from hypothesis import strategies as st
from made_tasks import made_samples

from bocl import gates, seeds
from bocl.cache import FeatureCache, Seen
from bocl.candidate import Candidate
from bocl.growth import Growth
from bocl.network import Network
from bocl.trunks.architectures import make_trunk
from bocl.views import View


@pytest.mark.parametrize("trunk", SHAPES)
@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_old_logits_are_bitwise_equal_whatever_grows_later(trunk, data):
    network = Network(make_trunk(trunk, SHAPES[trunk], BASES[trunk]))
    grow(network, Growth(BASES[trunk], reuse=False))
    inputs = made_samples(9, SHAPES[trunk]).inputs
    before = [network.logits(0, inputs)]
    for task in range(1, 4):
        growth = data.draw(growths(len(BASES[trunk])))
        kind = data.draw(st.sampled_from(["both", "unit", "task", "input", "none"]))
        prune = data.draw(st.sampled_from([0.0, 0.3]))
        grow(network, growth, gate_kind=kind, seed=task, prune=prune)
        for earlier, logits in enumerate(before):
            assert torch.equal(network.logits(earlier, inputs), logits)
        before.append(network.logits(task, inputs))


@pytest.mark.parametrize("trunk", SHAPES)
@pytest.mark.parametrize("kind", ["both", "unit", "task", "input", "none"])
@pytest.mark.parametrize("prune", [0.0, 0.4])
def test_a_frozen_block_computes_what_was_trained_and_compaction_loses_nothing(trunk, kind, prune):
    network = Network(make_trunk(trunk, SHAPES[trunk], BASES[trunk]))
    grow(network, Growth(BASES[trunk], reuse=False))
    widths = tuple(2 for _ in BASES[trunk])
    for task in range(1, 3):
        samples, trained = grow(network, Growth(widths), gate_kind=kind, seed=task, prune=prune)
        torch.testing.assert_close(
            network.logits(task, samples.inputs), trained, rtol=1e-5, atol=1e-5
        )
    read = sum(len(part) for level in network.blocks[2].reads for part in level)
    every = sum(sum(block.growth.widths) for block in network.blocks[:2])
    assert read < every if prune else read == every


@pytest.mark.parametrize("trunk", SHAPES)
@settings(max_examples=5, deadline=None)
@given(data=st.data())
def test_some_units_features_are_those_among_all(trunk, data):
    base = make_trunk(trunk, SHAPES[trunk], BASES[trunk])
    network = Network(base)
    grow(network, Growth(base.base, reuse=False))
    for task in range(1, 4):
        samples, _ = grow(network, data.draw(growths(len(base.levels))), seed=task, prune=0.5)
    whole = network.features(network.trunk.enter(samples.inputs))
    chosen = [
        torch.tensor(sorted(data.draw(st.sets(st.integers(0, part.shape[1] - 1)))), dtype=int)
        for part in whole
    ]
    offered = Seen(View(), units=chosen).by_block(network)
    some = network.features(network.trunk.enter(samples.inputs), offered)
    for part, units, found in zip(whole, chosen, some, strict=True):
        torch.testing.assert_close(found, part.index_select(1, units))


def test_a_block_with_every_old_unit_cut_needs_no_old_block():
    network = Network(make_trunk("mlp", (12,), (6, 5)))
    grow(network, Growth((6, 5), reuse=False))
    grow(network, Growth((3, 3), reuse=False), seed=1)
    grow(network, Growth((3, 3)), seed=2)
    assert network.depths(1) == [0]
    assert network.depths(2) == [2, 2]
    assert network.macs(1) == 12 * 3 + 3 * 3 + 3 * 3


@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_mlp_logits_equal_the_slow_dense_reference(data):
    network = Network(make_trunk("mlp", (12,), (4, 3)))
    grow(network, Growth((4, 3), reuse=False))
    for task in range(1, 3):
        kept = data.draw(st.sampled_from([None, torch.tensor([0, 3, 4, 9])]))
        kind = data.draw(st.sampled_from(["both", "unit", "task", "none"]))
        grow(network, data.draw(growths(2)), gate_kind=kind, seed=task, prune=0.2, inputs=kept)
        inputs = made_samples(7, (12,), seed=5).inputs
        expected = dense_logits(network.blocks, task, inputs.numpy())
        found = network.logits(task, inputs).numpy()
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["both", "unit", "task", "input"])
def test_gates_start_at_the_identity(kind):
    units = [3, 2]
    shapes = gates.shapes(kind, 1, units)
    weights = {
        name: torch.randn(shape) if name.endswith("down") else torch.zeros(shape)
        for name, shape in shapes.items()
    }
    for features in (torch.randn(4, 5), torch.randn(4, 5, 2, 2)):
        assert torch.equal(gates.apply(weights, 1, units, features), features)


def test_task_gates_weigh_whole_blocks_and_keep_their_sum():
    weights = {"gate.1.task": torch.tensor([1.0, -1.0, 0.0])}
    vector = gates.vector(weights, 1, [2, 1, 1])
    assert vector[0] == vector[1] > vector[3] > vector[2]
    assert float(vector[1:].sum()) == pytest.approx(3.0)


@pytest.mark.parametrize("trunk", SHAPES)
def test_narrow_growths_are_slices_that_compute_their_own_function(trunk):
    network = Network(make_trunk(trunk, SHAPES[trunk], BASES[trunk]))
    grow(network, Growth(BASES[trunk], reuse=False))
    levels = len(BASES[trunk])
    units = [network.widths(level) for level in range(1, levels + 1)]
    candidate = Candidate(
        network.trunk,
        Growth((4,) * levels),
        classes=3,
        inputs=network.trunk.input_units,
        old_units=units,
        gate_kind="both",
    )
    largest = candidate.initial(seeds.generator(0))
    samples = made_samples(6, SHAPES[trunk])
    batch = FeatureCache(network, samples, View(), None).batch(torch.arange(6))
    for growth in (
        Growth((2,) * levels),
        Growth((2,) * levels, reuse=False),
        Growth((0,) * levels),
    ):
        part = candidate.slice(largest, growth)
        assert {name: tuple(w.shape) for name, w in part.items()} == candidate.shapes(growth)
        logits = candidate.logits(part, growth, batch)
        assert logits.shape == (6, 3)
        assert torch.isfinite(logits).all()


def test_gradients_of_a_block_are_exact():
    network = Network(make_trunk("mlp", (5,), (3, 3)))
    grow(network, Growth((3, 3), reuse=False))
    growth = Growth((2, 2))
    candidate = Candidate(
        network.trunk, growth, classes=2, inputs=5, old_units=[[3], [3]], gate_kind="both"
    )
    start = candidate.initial(seeds.generator(3))
    names = list(start)
    samples = made_samples(4, (5,), 2)
    cache = FeatureCache(network, samples, View(), None)
    batch = cache.batch(torch.arange(4))
    doubles = type(batch)(
        batch.entry.double(), batch.targets, lambda: tuple(part.double() for part in batch.old)
    )

    def function(*values):
        return candidate.logits(dict(zip(names, values, strict=True)), growth, doubles)

    values = tuple(start[name].double().requires_grad_() for name in names)
    assert torch.autograd.gradcheck(function, values)
