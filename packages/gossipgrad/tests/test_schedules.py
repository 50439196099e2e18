import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossipgrad.errors import ConfigurationError
from gossipgrad.schedules import TOPOLOGIES, Permutation, live_turn, make_schedule

SIZES = st.integers(1, 64)
ANY_SIZE = [name for name in TOPOLOGIES if name != "hypercube"]
LARGE = 1 << 20


@given(st.integers(1, LARGE), st.integers(0, 2**63), st.integers(0, 2**40), st.data())
def test_a_permutation_and_its_inverse_undo_each_other(size, seed, index, data):
    labels = Permutation(size, seed, index)
    element = data.draw(st.integers(0, size - 1))
    assert 0 <= labels(element) < size
    assert labels.inverse(labels(element)) == element
    assert labels(labels.inverse(element)) == element


@given(SIZES, st.integers(0, 100), st.integers(0, 10_000), st.sampled_from(ANY_SIZE))
def test_every_schedule_is_a_permutation_whose_two_sides_agree(size, seed, step, topology):
    schedule = make_schedule(topology, size, seed)
    turns = [schedule.turn(rank, step) for rank in range(size)]
    assert sorted(turn.destination for turn in turns) == list(range(size))
    assert all(turns[turn.destination].source == rank for rank, turn in enumerate(turns))


@given(st.integers(0, 6), st.integers(0, 100), st.integers(0, 10_000))
def test_the_hypercube_pairs_ranks_both_ways(depth, seed, step):
    schedule = make_schedule("hypercube", 1 << depth, seed)
    for rank in range(1 << depth):
        partner = schedule.turn(rank, step).destination
        assert schedule.turn(partner, step).destination == rank
        assert partner != rank or depth == 0


@given(st.integers(2, LARGE), st.integers(0, 2**32), st.data(), st.sampled_from(ANY_SIZE))
def test_a_million_ranks_agree_pair_by_pair_without_tables(size, step, data, topology):
    schedule = make_schedule(topology, size, 7)
    rank = data.draw(st.integers(0, size - 1))
    destination = schedule.turn(rank, step).destination
    assert schedule.turn(destination, step).source == rank


@given(
    st.integers(2, 64), st.integers(0, 50), st.integers(0, 300), st.sampled_from(["auto", "ring"])
)
def test_news_of_every_rank_reaches_all_within_one_sweep(size, seed, sweeps, topology):
    schedule = make_schedule(topology, size, seed)
    known = [{rank} for rank in range(size)]
    for step in range(sweeps * schedule.sweep, (sweeps + 1) * schedule.sweep):
        known = [known[r] | known[schedule.turn(r, step).source] for r in range(size)]
    assert all(len(one) == size for one in known)


@given(st.integers(1, 130), st.integers(0, 50))
def test_exact_makes_all_ranks_equal_in_one_sweep_and_keeps_the_mean(size, seed):
    schedule = make_schedule("exact", size, seed)
    values = np.random.default_rng(seed).normal(size=size)
    mean = values.mean()
    for step in range(schedule.sweep):
        turns = [schedule.turn(rank, step) for rank in range(size)]
        values = np.array(
            [
                (1 - turn.share) * values[rank] + turns[turn.source].share * values[turn.source]
                for rank, turn in enumerate(turns)
            ]
        )
    np.testing.assert_allclose(values, mean, atol=1e-12)
    assert schedule.sweep <= 2 * max(1, size.bit_length() - 1) + 1


@pytest.mark.parametrize("topology", ["dissemination", "random", "exact", "hypercube"])
def test_rotation_lets_every_pair_meet(topology):
    size = 8
    schedule = make_schedule(topology, size, 0)
    met = {
        (rank, schedule.turn(rank, step).destination) for rank in range(size) for step in range(300)
    }
    assert {(a, b) for a, b in met if a != b} == {
        (a, b) for a in range(size) for b in range(size) if a != b
    }


@given(st.integers(2, 40), st.integers(0, 1000), st.data())
def test_the_living_keep_a_permutation_among_themselves(size, step, data):
    dead = data.draw(st.sets(st.integers(0, size - 1), max_size=size - 1))
    schedule = make_schedule("auto", size, 3)
    living = [rank for rank in range(size) if rank not in dead]
    turns = {rank: live_turn(schedule, rank, step, dead) for rank in living}
    assert sorted(turn.destination for turn in turns.values()) == living
    assert all(turns[turn.destination].source == rank for rank, turn in turns.items())


@pytest.mark.parametrize(
    ("topology", "size", "words"),
    [
        ("star", 4, "topology is 'star'"),
        ("hypercube", 6, "power of two"),
        ("ring", 0, "at least 1"),
    ],
)
def test_a_schedule_that_cannot_be_says_why(topology, size, words):
    with pytest.raises(ConfigurationError, match=words):
        make_schedule(topology, size)
