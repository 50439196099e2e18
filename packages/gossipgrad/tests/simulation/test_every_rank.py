"""All ranks at once against the schedules' own answers, and how fast they diffuse."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossipgrad.schedules import Permutation
from gossipgrad.simulation.diffusion import steps_to_consensus
from gossipgrad.simulation.every_rank import EveryRank


@given(
    topology=st.sampled_from(["auto", "dissemination", "hypercube", "ring", "random", "exact"]),
    size=st.integers(1, 70),
    rotate=st.sampled_from([None, False, True]),
    step=st.integers(0, 40),
    seed=st.integers(0, 2**40),
)
def test_arrays_say_what_each_rank_is_told(topology, size, rotate, step, seed) -> None:
    if topology == "hypercube":
        size = 1 << size.bit_length() - 1
    everyone = EveryRank(topology, size, seed, rotate=rotate)
    sources, shares = everyone(step)
    for rank in range(size):
        turn = everyone.schedule.turn(rank, step)
        assert turn.source == sources[rank]
        assert turn.source == rank or turn.share == shares[rank]


@given(size=st.integers(1, 2**20), seed=st.integers(0, 2**60), index=st.integers(0, 1000))
def test_permutation_of_an_array_is_that_of_its_elements(size, seed, index) -> None:
    permutation = Permutation(size, seed, index)
    some = np.unique(np.linspace(0, size - 1, 7).astype(np.int64))
    assert permutation.of(some).tolist() == [permutation(int(each)) for each in some]


@pytest.mark.parametrize("power", [1, 3, 7, 12])
@pytest.mark.parametrize("topology", ["dissemination", "hypercube", "exact"])
def test_powers_of_two_agree_in_log2_steps(power: int, topology: str) -> None:
    assert steps_to_consensus(EveryRank(topology, 1 << power), 1 << power) == power


def test_exact_agrees_in_one_sweep_at_any_size() -> None:
    for ranks in range(2, 40):
        partners = EveryRank("exact", ranks, seed=3)
        assert steps_to_consensus(partners, ranks) <= partners.schedule.sweep


def test_rotation_shortens_the_way_of_odd_sizes() -> None:
    """Published: 49 against 31 at p = 100, 101 against 34 at p = 100,000."""
    fixed = steps_to_consensus(EveryRank("dissemination", 100, rotate=False), 100)
    rotating = steps_to_consensus(EveryRank("dissemination", 100, rotate=True), 100)
    assert (fixed, rotating) == (pytest.approx(49, abs=8), pytest.approx(31, abs=5))
    many = 100_000
    fixed = steps_to_consensus(EveryRank("dissemination", many, rotate=False), many)
    rotating = steps_to_consensus(EveryRank("dissemination", many, rotate=True), many)
    assert (fixed, rotating) == (pytest.approx(101, abs=8), pytest.approx(34, abs=5))


def test_a_ring_does_not_agree_in_time() -> None:
    assert steps_to_consensus(EveryRank("ring", 100), 100, at_most=200) is None
