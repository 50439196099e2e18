"""The plan: pure, idempotent, and never beyond what is allowed."""

from hypothesis import given
from hypothesis import strategies as st

from sigopt_orchestrate.executors import Absent, Ended, Exit, Lost, Presence, Running, Starting
from sigopt_orchestrate.lifecycle import OBSERVED, OPEN, TRANSITIONS, TrialState
from sigopt_orchestrate.reconcile.plan import (
    Advance,
    Collect,
    End,
    Recover,
    Start,
    Suggest,
    plan,
)
from sigopt_orchestrate.store import TrialRecord

presences = st.sampled_from([Starting(), Running(), Ended(Exit(0)), Absent(), Lost()])
states = st.sampled_from(list(TrialState))


def record(number: int, state: TrialState) -> TrialRecord:
    values = {"y": 1.0} if state is TrialState.COMPLETED else None
    return TrialRecord(
        number, number, {"x": 0.0}, "default", state, 1, "t", 0, 0, values, None, 0.0, 0.0, None
    )


@st.composite
def situations(draw: st.DrawFn) -> tuple[list[TrialRecord], dict[int, Presence]]:
    trials = [record(n, s) for n, s in enumerate(draw(st.lists(states, max_size=12)), start=1)]
    return trials, {t.id: draw(presences) for t in trials if t.state.in_flight}


@given(situations(), st.integers(1, 12), st.integers(1, 6), st.booleans())
def test_the_limits_hold_in_every_situation(
    situation: tuple[list[TrialRecord], dict[int, Presence]],
    budget: int,
    parallel: int,
    stopping: bool,
) -> None:
    trials, found = situation
    actions = plan(trials, found, budget=budget, parallel=parallel, stopping=stopping)
    in_flight = sum(trial.state.in_flight for trial in trials)
    starts = [action for action in actions if isinstance(action, Start)]
    assert len(starts) <= max(0, parallel - in_flight)
    if stopping:
        assert not [action for action in actions if isinstance(action, Start | Suggest)]
    if sum(trial.state in OPEN | OBSERVED for trial in trials) >= budget:
        assert Suggest() not in actions
    touched = [action.trial.id for action in actions if not isinstance(action, Suggest | End)]
    assert len(touched) == len(set(touched)), "one step of one trial at a time"
    for action in actions:
        if isinstance(action, Advance):
            assert action.state in TRANSITIONS[action.trial.state]


@given(situations())
def test_every_end_is_dealt_with(
    situation: tuple[list[TrialRecord], dict[int, Presence]],
) -> None:
    trials, found = situation
    actions = plan(trials, found, budget=100, parallel=1, stopping=True)
    for trial in trials:
        if trial.state.in_flight:
            mine = [a for a in actions if not isinstance(a, Suggest) and a.trial == trial]
            match found[trial.id]:
                case Ended(end):
                    assert mine == [Collect(trial, end)]
                case Absent():
                    assert mine == [Recover(trial, charged=False)]
                case Lost():
                    assert mine == [Recover(trial, charged=True)]
                case Running():
                    assert mine[-1] == End(trial)


def test_a_slot_that_is_free_is_filled_and_one_trial_waits() -> None:
    running = record(1, TrialState.RUNNING)
    queued = record(2, TrialState.QUEUED)
    found: dict[int, Presence] = {1: Running()}
    assert plan([running, queued], found, budget=9, parallel=2, stopping=False) == [
        Start(queued),
        Suggest(),
    ]
    assert plan([running, queued], found, budget=9, parallel=1, stopping=False) == []


def test_with_nothing_new_there_is_nothing_to_do() -> None:
    trials = [record(1, TrialState.RUNNING), record(2, TrialState.COMPLETED)]
    assert plan(trials, {1: Running()}, budget=2, parallel=4, stopping=False) == []
