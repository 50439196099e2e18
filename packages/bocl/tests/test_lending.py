"""The first network's flattening level over a later task's own maps."""

from __future__ import annotations

import pytest
import torch
from grown_networks import BASES, SHAPES, grow
from hypothesis import given, settings
from hypothesis import strategies as st
from made_tasks import made_samples

from bocl import BOCL, certificate, seeds
from bocl.cache import FeatureCache
from bocl.candidate import Candidate
from bocl.complexity import growth_cost
from bocl.errors import CertificateError
from bocl.growth import Growth
from bocl.inheriting import borrowable, inherited
from bocl.network import Network
from bocl.posing import pose_problem
from bocl.search.rivals import FixedGrowth
from bocl.settings import Settings
from bocl.trunks.architectures import make_trunk
from bocl.views import View

BASE = BASES["lenet"]
SHAPE = (1, 20, 20)  # two by two places are left to flatten


def first_network():
    network = Network(make_trunk("lenet", SHAPE, BASE))
    grow(network, Growth(BASE, reuse=False))
    return network


def borrower(network):
    units = [[0], [0], [BASE[2]]]
    return Candidate(
        network.trunk,
        Growth(BASE),
        classes=3,
        inputs=network.trunk.input_units,
        old_units=units,
        gate_kind="none",
        lent=borrowable(network, units),
    )


def test_copies_under_the_lent_level_are_the_first_network():
    network = first_network()
    first, growth = network.blocks[0], Growth(BASE)
    candidate = borrower(network)
    fresh = candidate.initial(seeds.generator(1))
    weights = candidate.slice(inherited(candidate, fresh, [first], None), growth)
    head = torch.zeros_like(weights["head.weight"])
    head[:, : BASE[2]] = first.weights["head.weight"]  # of the lent units; own ones follow
    weights |= {"head.weight": head, "head.bias": first.weights["head.bias"]}
    samples = made_samples(9, SHAPE)
    seen = FeatureCache(network, samples, View(), None, offered=None)
    logits = candidate.logits(weights, growth, seen.batch(torch.arange(9)))
    wanted = network.logits(0, samples.inputs)
    torch.testing.assert_close(logits, wanted, rtol=1e-4, atol=1e-5)


@settings(max_examples=20, deadline=None)
@given(widths=st.tuples(*(st.integers(1, width + 2) for width in BASE)))
def test_a_borrower_computes_the_slow_reference_and_reads_no_earlier_unit(widths):
    network = first_network()
    samples, trained = grow(network, Growth(widths), gate_kind="none", seed=1, lends=True)
    block, first = network.blocks[1], network.blocks[0]
    assert network.depths(1) == [0]
    torch.testing.assert_close(network.logits(1, samples.inputs), trained, rtol=1e-5, atol=1e-5)
    maps = samples.inputs
    for number in (1, 2):
        weight, bias = (block.weights[f"{number}.{name}"] for name in ("weight", "bias"))
        maps = torch.nn.functional.conv2d(maps, weight, bias).relu()
        maps = torch.nn.functional.max_pool2d(maps, 2)
    maps = maps.double()
    places = maps[0, 0].numel()
    borrowed = first.weights["3.bias"].double().repeat(len(maps), 1)
    for place, unit in enumerate(block.copied.tolist()):
        columns = first.weights["3.weight"][:, unit * places : (unit + 1) * places].double()
        borrowed += maps[:, place].flatten(1) @ columns.T
    top = maps.flatten(1) @ block.weights["3.weight"].double().T + block.weights["3.bias"]
    read = torch.cat([borrowed.relu(), top.relu()], 1)
    wanted = read @ block.weights["head.weight"].double().T + block.weights["head.bias"]
    torch.testing.assert_close(trained.double(), wanted, rtol=1e-4, atol=1e-4)


def test_a_growth_borrows_or_reads_and_one_of_nothing_reads():
    network = first_network()
    candidate = borrower(network)
    assert candidate.read(Growth((2, 3, 2))) == [[0], [0], [0]]
    assert candidate.read(Growth((0, 0, 0))) == [[0], [0], [BASE[2]]]
    whole = candidate.initial(seeds.generator(1))
    head = whole["head.weight"]
    assert torch.equal(candidate.slice(whole, Growth((0, 0, 0)))["head.weight"], head[:, : BASE[2]])
    part = candidate.slice(whole, Growth((2, 3, 2)))["head.weight"]
    assert torch.equal(part, head[:, BASE[2] : 2 * BASE[2] + 2])


def test_what_is_borrowed_costs_the_heads_weights_and_the_places_of_copies():
    network = first_network()
    growth, candidate = Growth((2, 3, 2)), borrower(network)
    own = (2 * 25 + 2) + (3 * 2 * 25 + 3) + (2 * 3 * 4 + 2)
    head = 3 * (BASE[2] + 2) + 3
    assert growth_cost(candidate, growth, "parameters") == own + head + 3
    grow(network, growth, gate_kind="none", seed=1, lends=True)
    assert network.blocks[1].parameters == own + head + 3
    macs = 2 * 25 * 16**2 + 3 * 2 * 25 * 4**2 + 2 * 3 * 4 + BASE[2] * BASE[1] * 4 + head - 3
    assert growth_cost(candidate, growth, "macs") == network.macs(1) == macs


def test_a_search_offers_a_borrower_every_map_and_any_width_above():
    network = first_network()
    candidate = borrower(network)
    wide = Settings(trunk="lenet", largest=BASE)
    posed = pose_problem(candidate, wide, validation=50, seed=0, landscapes=())
    offered = [growth.widths for growth in posed.space.choices if candidate.lent_to(growth)]
    assert offered == [(*BASE[:2], width) for width in (1, 3, 6)]
    assert posed.space.choices[0].none


@pytest.mark.parametrize(
    ("trunk", "growth"),
    [("lenet", (0, 0, 0)), ("mlp", (2, 2)), ("resnet", (2, 2, 2))],
)
def test_nothing_is_borrowed_without_own_maps_or_a_flattening_level(trunk, growth):
    network = Network(make_trunk(trunk, SHAPES[trunk], BASES[trunk]))
    grow(network, Growth(BASES[trunk], reuse=False))
    grow(network, Growth(growth), seed=1, lends=True)
    assert network.blocks[1].copied is None


def test_a_learner_that_borrows_is_kept_verified_and_turned_down_when_the_lender_changes(tmp_path):
    learner = BOCL(
        tmp_path,
        trunk="lenet",
        base=BASE,
        searcher=FixedGrowth(Growth((2, 3, 2))),
        epochs=2,
        batch=16,
        views="none",
        routing=0,
    )
    for seed in range(3):
        learner.fit_task(made_samples(60, SHAPE, seed=seed))
    network = BOCL.load(tmp_path).fitted_network()
    assert [block.copied is None for block in network.blocks] == [True, False, False]
    inputs = made_samples(9, SHAPE).inputs
    for task in range(3):
        assert torch.equal(network.logits(task, inputs), learner.logits(inputs, task))
        proof = certificate.certify(network, task, 0)
        network.blocks[0].weights["3.weight"][0, 0] += 1e-3
        with pytest.raises(CertificateError, match=f"task {task} has changed"):
            certificate.verify(network, task, proof)
        network.blocks[0].weights["3.weight"][0, 0] -= 1e-3
