"""Who counts as alive at which step, and how long a silence is borne."""

from statistics import median

from hypothesis import given
from hypothesis import strategies as st

from gossipgrad import vigil as vigil_module
from gossipgrad.membership import Membership, Patience
from gossipgrad.signalling import Signalling
from gossipgrad.transports import SimulatedNetwork
from gossipgrad.vigil import Vigil

durations = st.floats(0, 5, allow_nan=False)


@given(st.lists(st.tuples(durations, durations), min_size=1, max_size=64), st.floats(0.01, 2))
def test_the_deadline_is_median_and_eight_deviations_and_two_steps(observed, floor):
    patience = Patience(floor)
    for wait, step in observed:
        patience.observe(wait, step)
    waits = sorted(wait for wait, _ in observed)
    middle = median(waits)
    spread = median(sorted(abs(wait - middle) for wait in waits))
    steps = median(step for _, step in observed)
    assert patience.limit_s() == max(floor, middle + 8 * spread + 2 * steps)


def test_the_first_steps_are_borne_for_a_minute_and_old_ones_are_forgotten():
    patience = Patience(0.5)
    assert patience.limit_s() == 60
    for _ in range(64):
        patience.observe(9.0, 1.0)
    for _ in range(64):
        patience.observe(0.0, 0.1)
    assert patience.limit_s() == 0.5


def test_a_returned_rank_takes_part_from_its_step_on_and_old_news_do_not_kill_it():
    membership = Membership(0, 4)
    assert membership.lose([2, 0], step=5) == [2]
    assert membership.living(7) == [0, 1, 3]
    assert membership.is_exiled(2)
    membership.welcome(2, step=10, incarnation=1)
    assert membership.living(9) == [0, 1, 3]
    assert membership.living(10) == [0, 1, 2, 3]
    assert membership.is_outdated(2, 9)
    assert not membership.is_outdated(2, 10)
    assert membership.lose([2], step=12) == [2]
    assert membership.living(12) == [0, 1, 3]


def test_who_may_not_know_of_a_death_is_not_relied_on():
    membership = Membership(0, 4)
    membership.lose([2], step=5)
    assert membership.is_unsure(3, [2], 6)
    membership.hear(3, [2], 5)
    assert membership.is_unsure(3, [2], 5)
    assert not membership.is_unsure(3, [2], 6)


def test_who_is_awaited_in_a_dead_ones_place_is_given_the_whole_deadline(monkeypatch):
    now = 0.0
    monkeypatch.setattr(vigil_module.time, "monotonic", lambda: now)
    transport = SimulatedNetwork(3).transport(0)
    membership, patience = Membership(0, 3), Patience(1.0)
    patience.observe(0.0, 0.1)
    vigil = Vigil(transport, membership, Signalling(transport), patience)
    now = 1.1
    vigil.watch([1], 0.0)
    assert membership.living(0) == [0, 2]
    vigil.watch([2], 0.0)  # the same exchange, which began long ago
    now = 2.0
    vigil.watch([2], 0.0)
    assert membership.living(0) == [0, 2]
    now = 2.2
    vigil.watch([2], 0.0)
    assert membership.living(0) == [0]
