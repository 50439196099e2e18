"""A task reads the telling ones of earlier units, and no more than the first network has."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from made_tasks import made_samples

from bocl import BOCL
from bocl.errors import SettingsError
from bocl.growth import Growth
from bocl.offering import SOURCES, by_block, offered_units
from bocl.search.rivals import FixedGrowth
from bocl.trunks.architectures import make_trunk

TARGETS = torch.arange(60) % 3


def drawn(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def telling(seed):
    """Returns a unit (60,) whose mean depends on the class."""
    return drawn(seed, 3)[TARGETS] * 3 + drawn(seed + 100, 60)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 3))
def test_no_more_units_than_the_bound_sorted_and_each_once(units, most, seed):
    found = offered_units([drawn(seed, 60, units)], TARGETS, [most], [[units]])[0].tolist()
    assert found == sorted(set(found))
    assert len(found) == min(units, most)


def test_noise_and_constants_are_left_out_before_what_tells_classes_apart():
    columns = [drawn(0, 60), torch.ones(60), telling(1), drawn(2, 60), telling(3)]
    found = offered_units([torch.stack(columns, 1)], TARGETS, [2], [[2, 3]])[0]
    assert found.tolist() == [2, 4]


def test_a_copy_of_a_chosen_unit_is_not_chosen():
    best, other = telling(1), telling(3)
    columns = torch.stack([best, 2 * best + 1, other], 1)
    found = set(offered_units([columns], TARGETS, [2], [[3]])[0].tolist())
    assert found in ({0, 2}, {1, 2})
    images = columns[:, :, None, None].expand(-1, -1, 4, 4)
    assert set(offered_units([images], TARGETS, [2], [[3]])[0].tolist()) == found


def test_a_growth_of_units_that_would_read_nothing_is_refused():
    learner = BOCL(
        searcher=FixedGrowth(Growth((0, 2, 2))), trunk="resnet", base=(2, 3, 4), epochs=1
    )
    learner.fit_task(made_samples(60, (1, 16, 16)))
    with pytest.raises(SettingsError, match="growth 0-2-2 leaves units without input"):
        learner.fit_task(made_samples(60, (1, 16, 16), seed=1))
    assert learner.tasks == 1


def test_only_the_blocks_that_tell_classes_apart_most_are_read():
    blocks = [drawn(k, 60, 2) for k in range(SOURCES + 2)]
    for k in range(SOURCES):
        blocks[k + 1][:, 0] = telling(k)
    found = offered_units([torch.cat(blocks, 1)], TARGETS, [99], [[2] * len(blocks)])[0]
    assert {unit // 2 for unit in found.tolist()} == set(range(1, SOURCES + 1))


def test_units_are_told_by_block():
    parts = by_block(torch.tensor([0, 3, 4, 7]), [3, 0, 2, 4])
    assert [part.tolist() for part in parts] == [[0], [], [0, 1], [2]]


def test_a_task_reads_images_at_the_head_only_where_one_weight_a_unit_is_enough():
    assert make_trunk("lenet", (3, 32, 32)).most_read == (0, 0, 500)
    assert make_trunk("resnet", (3, 32, 32)).most_read == (0, 0, 64)
    assert make_trunk("mlp", (784,)).most_read == (312, 128)


@pytest.mark.parametrize("bounded", [True, False])
def test_every_growth_offered_to_the_search_has_something_to_read_and_keeps_the_limit(bounded):
    learner = BOCL(
        trunk="lenet", base=(3, 4, 8), epochs=1, trials=4, bounded=bounded, limit=0.3, routing=0
    )
    for seed in range(2):
        learner.fit_task(made_samples(60, (1, 24, 24), seed=seed))
    costs = learner.records[1].costs
    assert max(cost for growth, cost in costs.items() if not growth.none) <= 0.3
    starved = [growth for growth in costs if growth.widths[:2] == (0, 0) and growth.widths[2]]
    assert bool(starved) is not bounded


@pytest.mark.parametrize("bounded", [True, False])
def test_a_frozen_task_reads_what_was_offered_and_answers_as_trained(bounded):
    learner = BOCL(
        searcher=FixedGrowth(Growth((6, 5))),
        trunk="mlp",
        base=(8, 6),
        epochs=3,
        batch=16,
        rate=0.02,
        prune=0.0,
        bounded=bounded,
    )
    val = made_samples(50, seed=9)
    before = []
    for seed in range(4):
        learner.fit_task(made_samples(120, seed=seed), val=val)
        assert learner.records[-1].validation_accuracy == learner.accuracy(val, seed)
        before.append(learner.logits(val.inputs, seed))
    assert all(torch.equal(learner.logits(val.inputs, k), old) for k, old in enumerate(before))
    read = [sum(learner.network.blocks[3].units_read(level)) for level in (1, 2)]
    assert read == ([8, 6] if bounded else [8 + 2 * 6, 6 + 2 * 5])


def test_the_chosen_growth_trains_on_split_off_samples_but_never_on_given_ones():
    learner = BOCL(trunk="mlp", base=(8, 6), epochs=2, search="random", trials=2, routing=0)
    learner.fit_task(made_samples(120))
    learner.fit_task(made_samples(120), val=made_samples(40, seed=3))
    assert learner.records[0].validation_accuracy is None
    assert learner.records[1].validation_accuracy is not None
