"""The plan: pure, and never beyond what is allowed."""

from hypothesis import given
from hypothesis import strategies as st

from sigopt_orchestrate.executors import Absent, Ended, Exit, Lost, Presence, Running, Starting
from sigopt_orchestrate.lifecycle import IN_FLIGHT, TRANSITIONS, TrialState
from sigopt_orchestrate.reconcile.plan import (
    Advance,
    Collect,
    End,
    Recover,
    free_slots,
    next_step,
    wanted,
)

presences = st.sampled_from([Starting(), Running(), Ended(Exit(0)), Absent(), Lost()])
in_flight = st.sampled_from(sorted(IN_FLIGHT))


@given(in_flight, presences, st.booleans())
def test_every_step_is_allowed_and_leads_on(
    state: TrialState, presence: Presence, ending: bool
) -> None:
    step = next_step(state, presence, ending=ending)
    if isinstance(step, Advance):
        assert step.state in TRANSITIONS[state]
        assert next_step(step.state, presence, ending=ending) is None, "and once is enough"


@given(in_flight, presences)
def test_every_end_is_dealt_with(state: TrialState, presence: Presence) -> None:
    step = next_step(state, presence, ending=True)
    match presence:
        case Ended(end):
            assert step == Collect(end)
        case Absent(reason):
            assert step == Recover(charged=False, reason=reason)
        case Lost(reason):
            assert step == Recover(charged=True, reason=reason)
        case _:
            assert step == End()


@given(st.integers(0, 20), st.integers(1, 20))
def test_slots_and_attempts_never_exceed_what_may_run(running: int, parallel: int) -> None:
    free = free_slots(in_flight=running, parallel=parallel)
    assert free >= 0
    assert running + free <= max(running, parallel)


@given(*[st.integers(0, 20)] * 4, st.integers(0, 1))
def test_no_more_is_wanted_than_the_budget_has_places(
    free: int, waiting: int, held: int, budget: int, ahead: int
) -> None:
    room = wanted(free=free, waiting=waiting, held=held, budget=budget, ahead=ahead)
    assert room == 0 or held + room <= budget
    assert waiting + room <= max(waiting, free + ahead)


def test_a_slot_that_is_free_is_filled_and_one_trial_waits() -> None:
    assert wanted(free=1, waiting=1, held=2, budget=9, ahead=1) == 1
    assert wanted(free=0, waiting=1, held=2, budget=9, ahead=1) == 0
    assert wanted(free=0, waiting=0, held=2, budget=9, ahead=0) == 0
