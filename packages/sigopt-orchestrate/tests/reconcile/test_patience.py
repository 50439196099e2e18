"""How long the leader puts up with what: on a clock of the test's own."""

from dataclasses import replace

import pytest

from sigopt_orchestrate.lifecycle import TrialState
from sigopt_orchestrate.reconcile.patience import Patience
from sigopt_orchestrate.spec import Timeouts
from sigopt_orchestrate.store import TrialRecord

LOST = TrialRecord(1, 1, {"x": 0.0}, "default", TrialState.PREEMPTED, 0.0)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def patience(clock: Clock) -> Patience:
    return Patience(Timeouts.model_validate({"pending": 10, "grace": 3}), clock)


@pytest.mark.parametrize(("losses", "pause_s"), [(0, 0), (1, 0), (2, 1), (5, 8), (30, 60)])
def test_a_trial_waits_twice_as_long_after_each_loss(
    patience: Patience, clock: Clock, losses: int, pause_s: float
) -> None:
    trial = replace(LOST, losses=losses)
    patience.pause(trial)
    assert patience.pause_left_s(trial) == pause_s
    clock.now += pause_s
    assert patience.pause_left_s(trial) == 0


def test_who_never_starts_is_overdue(patience: Patience, clock: Clock) -> None:
    assert not patience.pending_too_long("t")
    clock.now += 10
    assert not patience.pending_too_long("t")
    clock.now += 1
    assert patience.pending_too_long("t")
    assert patience.is_overdue("t")
    patience.forget("t")
    assert not patience.pending_too_long("t")


def test_who_does_not_end_is_not_asked_for_ever(patience: Patience, clock: Clock) -> None:
    assert not patience.ending_too_long("t")
    clock.now += 7.9
    assert not patience.ending_too_long("t")
    clock.now += 0.2
    assert patience.ending_too_long("t")
