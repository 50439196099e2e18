"""The same functions in fewer numbers."""

from __future__ import annotations

import pytest
import torch
from grown_networks import BASES, SHAPES, grow, growths
from hypothesis import given, settings
from hypothesis import strategies as st
from made_tasks import made_samples

from bocl import BOCL, certificate, checkpoint
from bocl.compacting import compact
from bocl.errors import CertificateError, NotFittedError
from bocl.growth import Growth
from bocl.network import Network
from bocl.search.rivals import FixedGrowth
from bocl.trunks.architectures import make_trunk


@pytest.mark.parametrize("gate_kind", ["both", "input", "none"])
@pytest.mark.parametrize("trunk", SHAPES)
@settings(max_examples=6, deadline=None)
@given(data=st.data())
def test_logits_stay_and_no_fixed_gate_is_left(trunk, gate_kind, data):
    base = make_trunk(trunk, SHAPES[trunk], BASES[trunk])
    network = Network(base)
    grow(network, Growth(base.base, reuse=False))
    for task in range(1, 3):
        growth = data.draw(growths(len(base.levels)))
        samples, _ = grow(network, growth, gate_kind=gate_kind, seed=task, prune=0.5)
    smaller = Network(base, [compact(base, block) for block in network.blocks])
    assert smaller.parameters <= network.parameters
    for task in range(3):
        wanted = network.logits(task, samples.inputs)
        found = smaller.logits(task, samples.inputs)
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)
        assert not [name for name in smaller.blocks[task].weights if name.endswith("fixed")]


def test_a_block_with_zero_weights_is_read_no_more():
    base = make_trunk("mlp", SHAPES["mlp"], BASES["mlp"])
    network = Network(base)
    grow(network, Growth(base.base, reuse=False))
    samples, _ = grow(network, Growth((2, 3)), seed=1)
    grow(network, Growth((0, 0)), seed=2)
    own = base.base[-1]
    network.blocks[2].weights["head.weight"][:, own:] = 0.0  # of the second task's units
    before = network.logits(2, samples.inputs)
    network.blocks[2] = compact(base, network.blocks[2])
    assert network.blocks[2].units_read(2) == [own, 0]
    assert network.depths(2) == [2, 0]
    torch.testing.assert_close(network.logits(2, samples.inputs), before)


def learned():
    settings_ = {"trunk": "mlp", "base": (8, 6), "epochs": 4, "batch": 16, "rate": 0.02}
    learner = BOCL(searcher=FixedGrowth(Growth((2, 2))), routing=20, **settings_)
    for seed in range(3):
        learner.fit_task(made_samples(120, seed=seed))
    return learner


def test_a_compact_learner_is_smaller_certified_and_leaves_the_old_one(tmp_path):
    learner = learned()
    inputs = made_samples().inputs
    before = [learner.logits(inputs, task) for task in range(3)]
    smaller = learner.compact()
    assert smaller.network.parameters < learner.network.parameters
    assert sum(r.parameters for r in smaller.records) == smaller.network.parameters
    for task in range(3):
        assert torch.equal(learner.logits(inputs, task), before[task])
        torch.testing.assert_close(smaller.logits(inputs, task), before[task])
    learner.save(tmp_path / "whole")
    smaller.save(tmp_path / "smaller")
    again = BOCL.load(tmp_path / "smaller")
    for task in range(3):
        issued = checkpoint.load_certificate(tmp_path / "smaller", task)
        assert certificate.verify(again.network, task, issued) == "exact"
    smaller.fit_task(made_samples(120, seed=3))
    assert (learner.tasks, smaller.tasks) == (3, 4)


def test_a_change_beyond_rounding_is_refused():
    network = learned().network
    other = Network(network.trunk, list(network.blocks))
    other.blocks[1] = compact(network.trunk, network.blocks[1])
    certificate.check_equal(network, other, 1, seed=0)
    weights = other.blocks[1].weights
    weights["head.bias"] = weights["head.bias"] + 0.1
    with pytest.raises(CertificateError, match="logit of task 1 would move"):
        certificate.check_equal(network, other, 1, seed=0)


def test_an_empty_learner_has_nothing_to_compact():
    with pytest.raises(NotFittedError, match="no task has been learned"):
        BOCL().compact()
