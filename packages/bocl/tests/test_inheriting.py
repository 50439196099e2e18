"""New units as copies of the first network's."""

from __future__ import annotations

import pytest
import torch
from grown_networks import BASES, SHAPES, grow
from made_tasks import made_samples

from bocl import BOCL, seeds, trialling
from bocl.blocks import run_level
from bocl.candidate import Candidate
from bocl.growth import Growth
from bocl.inheriting import inherited
from bocl.network import Network
from bocl.search.rivals import FixedGrowth
from bocl.trunks.architectures import make_trunk


def posed(network, growth, inputs=None):
    trunk = network.trunk
    return Candidate(
        trunk,
        growth,
        classes=3,
        inputs=trunk.input_units if inputs is None else len(inputs),
        old_units=[network.widths(level) for level in range(1, len(trunk.levels) + 1)],
        gate_kind="both",
    )


def first_network(trunk, inputs=None):
    network = Network(make_trunk(trunk, SHAPES[trunk], BASES[trunk]))
    samples, _ = grow(network, Growth(BASES[trunk], reuse=False), inputs=inputs)
    return network, samples


@pytest.mark.parametrize("trunk", SHAPES)
def test_a_copy_of_the_whole_first_network_has_its_features(trunk):
    network, samples = first_network(trunk)
    candidate = posed(network, Growth(BASES[trunk], reuse=False))
    fresh = candidate.initial(seeds.generator(1))
    weights = inherited(candidate, fresh, network.blocks[:1], None)
    assert torch.equal(weights["head.weight"], fresh["head.weight"])
    features = network.trunk.enter(samples.inputs)
    for number, level in enumerate(network.trunk.levels, start=1):
        features = run_level(level, weights, str(number), features)
    wanted = network.features(network.trunk.enter(samples.inputs))[-1]
    torch.testing.assert_close(
        features.flatten(1).sort(1).values, wanted.flatten(1).sort(1).values, rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize("trunk", SHAPES)
def test_what_reads_earlier_units_starts_fresh(trunk):
    network, _ = first_network(trunk)
    candidate = posed(network, Growth(tuple(max(1, w - 1) for w in BASES[trunk])))
    fresh = candidate.initial(seeds.generator(1))
    weights = inherited(candidate, fresh, network.blocks[:1], None)
    name = next(n for n in ("2.weight", "2.first") if n in weights)
    old = BASES[trunk][0] * network.trunk.levels[1].places_below
    assert torch.equal(weights[name][:, :old], fresh[name][:, :old])
    assert not torch.equal(weights[name][:, old:], fresh[name][:, old:])
    assert {n: w.shape for n, w in weights.items()} == {n: w.shape for n, w in fresh.items()}


def test_level_one_is_copied_input_by_input():
    seen = torch.tensor([0, 2, 5, 7])
    network, _ = first_network("mlp", inputs=seen)
    asked = torch.tensor([2, 3, 7])
    candidate = posed(network, Growth((2, 2)), asked)
    fresh = candidate.initial(seeds.generator(1))
    weights = inherited(candidate, fresh, network.blocks[:1], asked)
    source = network.blocks[0].weights["1.weight"]
    for row in weights["1.weight"]:
        assert row[1] == 0  # the first network does not see input 3
        assert any(torch.equal(row[[0, 2]], candidate_row[[1, 3]]) for candidate_row in source)


@pytest.mark.parametrize("trunk", ["lenet", "resnet"])
@pytest.mark.parametrize("lends", [True, False])
def test_units_on_images_start_as_the_mean_of_all_that_earlier_tasks_made_of_them(trunk, lends):
    network, _ = first_network(trunk)
    grow(network, Growth(tuple(w - 1 for w in BASES[trunk])), seed=1, lends=lends)
    grow(network, Growth(BASES[trunk], reuse=False), seed=2)
    first, narrow, wide = network.blocks
    candidate = posed(network, Growth(BASES[trunk], reuse=False))
    fresh = candidate.initial(seeds.generator(1))
    copies = inherited(candidate, fresh, [first], None)
    weights = inherited(candidate, fresh, network.blocks, None)
    name = "weight" if trunk == "lenet" else "first"
    for number, (width, below) in enumerate(
        zip(BASES[trunk], (None, *BASES[trunk]), strict=False), 1
    ):
        key = f"{number}.{name}"
        mean = (copies[key] + wide.weights[key]) / 2
        torch.testing.assert_close(weights[key][-1], mean[-1])  # the narrow block has no such unit
        own = narrow.weights[key]
        inputs = own.shape[1] if below is None else below - 1
        own = own[:, own.shape[1] - inputs :]
        mean = (copies[key] + wide.weights[key])[: width - 1, :inputs] + own
        torch.testing.assert_close(weights[key][: width - 1, :inputs], mean / 3)


def test_vectors_start_as_the_first_networks_copies_alone():
    network, _ = first_network("mlp")
    grow(network, Growth(BASES["mlp"], reuse=False), seed=2)
    candidate = posed(network, Growth(BASES["mlp"], reuse=False))
    fresh = candidate.initial(seeds.generator(1))
    copies = inherited(candidate, fresh, network.blocks[:1], None)
    weights = inherited(candidate, fresh, network.blocks, None)
    assert all(torch.equal(weights[name], copies[name]) for name in weights)


@pytest.mark.parametrize("inherit", [True, False])
def test_the_setting_decides_where_new_units_start(inherit, monkeypatch):
    called = []
    monkeypatch.setattr(trialling, "inherited", lambda _, fresh, *__: called.append(1) or fresh)
    learner = BOCL(
        searcher=FixedGrowth(Growth((2, 2))), trunk="mlp", base=(8, 6), epochs=1, inherit=inherit
    )
    for seed in range(2):
        learner.fit_task(made_samples(seed=seed))
    assert bool(called) is inherit
