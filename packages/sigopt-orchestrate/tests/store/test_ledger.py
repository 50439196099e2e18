"""The ledger: every step once, the budget exact, earlier leaders fenced off."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from sigopt_orchestrate.errors import LeadershipError
from sigopt_orchestrate.lifecycle import OBSERVED, OPEN, ExperimentState, TrialState
from sigopt_orchestrate.spec import Experiment
from sigopt_orchestrate.store import ExperimentRecord, Ledger, Store, TrialRecord
from sigopt_orchestrate.store.database import reading
from sigopt_orchestrate.store.schema import events, observations


def started(ledger: Ledger) -> TrialRecord:
    trial = ledger.add_trial({"x": 0.5}, "quasi-random")
    assert trial is not None
    leased = ledger.lease(trial)
    return ledger.advance(ledger.advance(leased, TrialState.SUBMITTED), TrialState.RUNNING)


def test_a_trial_is_observed_once(store: Store, experiment: ExperimentRecord) -> None:
    ledger = Ledger(store, experiment.id)
    reporting = ledger.advance(started(ledger), TrialState.REPORTING)
    done = ledger.observe(reporting, {"y": 1.0})
    assert (done.state, done.values) == (TrialState.COMPLETED, {"y": 1.0})
    with pytest.raises(IntegrityError):
        ledger.observe(reporting, {"y": 2.0})
    assert store.trials(experiment.id)[0].values == {"y": 1.0}


def test_a_late_step_of_an_older_attempt_is_refused(
    store: Store, experiment: ExperimentRecord
) -> None:
    ledger = Ledger(store, experiment.id)
    first = started(ledger)
    second = ledger.lease(ledger.requeue(first, "lost", losses=1))
    assert (second.attempt, second.losses) == (2, 1)
    assert second.token != first.token
    with pytest.raises(LeadershipError, match="changed by another"):
        ledger.advance(first, TrialState.REPORTING)


def test_an_earlier_leader_is_fenced_off(store: Store, experiment: ExperimentRecord) -> None:
    earlier = Ledger(store, experiment.id)
    trial = started(earlier)
    later = Ledger(store, experiment.id)
    with pytest.raises(LeadershipError, match="taken experiment 1 over"):
        earlier.advance(trial, TrialState.REPORTING)
    assert later.advance(trial, TrialState.REPORTING).state is TrialState.REPORTING


def test_every_step_leaves_an_event(store: Store, experiment: ExperimentRecord) -> None:
    ledger = Ledger(store, experiment.id)
    ledger.observe(ledger.advance(started(ledger), TrialState.REPORTING), None, "exit status 1")
    with reading(store.engine) as connection:
        steps = [row.after for row in connection.execute(select(events).order_by(events.c.id))]
    assert steps == ["queued", "leased", "submitted", "running", "reporting", "failed"]


def test_a_step_out_of_order_is_refused(store: Store, experiment: ExperimentRecord) -> None:
    ledger = Ledger(store, experiment.id)
    trial = ledger.add_trial({"x": 0.5}, "default")
    assert trial is not None
    with pytest.raises(ValueError, match="from queued to running"):
        ledger.advance(trial, TrialState.RUNNING)


def test_ending_stops_open_trials_and_reopening_queues_them(
    store: Store, experiment: ExperimentRecord
) -> None:
    ledger = Ledger(store, experiment.id)
    started(ledger)
    store.request_stop(experiment.id)
    ended = ledger.end(ExperimentState.STOPPED, "stopped on request")
    assert [trial.state for trial in ledger.trials()] == [TrialState.STOPPED]
    assert ended.stop_requested
    again = ledger.reopen()
    assert (again.state, again.stop_requested) == (ExperimentState.RUNNING, False)
    assert [trial.state for trial in ledger.trials()] == [TrialState.QUEUED]


class AnyHistory(RuleBasedStateMachine):
    """Whatever happens in whatever order, the budget is never exceeded."""

    budget = 5
    make_store: Callable[[], tuple[Store, ExperimentRecord]]

    @initialize()
    def open(self) -> None:
        self.store, self.experiment = type(self).make_store()
        self.ledger = Ledger(self.store, self.experiment.id)

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.close()

    def _first(self, *states: TrialState) -> TrialRecord | None:
        return next((t for t in self.ledger.trials() if t.state in states), None)

    @rule()
    def add(self) -> None:
        held = sum(t.state in OPEN | OBSERVED for t in self.ledger.trials())
        assert (self.ledger.add_trial({"x": 0.1}, "random") is None) == (held >= self.budget)

    @rule()
    def lease(self) -> None:
        if trial := self._first(TrialState.QUEUED):
            self.ledger.lease(trial)

    @rule()
    def submit(self) -> None:
        if trial := self._first(TrialState.LEASED):
            self.ledger.advance(trial, TrialState.SUBMITTED)

    @rule()
    def lose(self) -> None:
        if trial := self._first(TrialState.LEASED, TrialState.SUBMITTED):
            self.ledger.requeue(trial, "lost", losses=1)

    @rule()
    def observe(self) -> None:
        if trial := self._first(TrialState.SUBMITTED):
            self.ledger.observe(self.ledger.advance(trial, TrialState.REPORTING), {"y": 1.0})

    @rule()
    def stop(self) -> None:
        if trial := self._first(TrialState.SUBMITTED):
            self.ledger.stop(trial, "stopped")

    @rule()
    def take_over(self) -> None:
        self.ledger = Ledger(self.store, self.experiment.id)

    @invariant()
    def the_budget_holds(self) -> None:
        if not hasattr(self, "store"):
            return
        trials = self.store.trials(self.experiment.id)
        assert sum(t.state in OPEN | OBSERVED for t in trials) <= self.budget
        with reading(self.store.engine) as connection:
            observed = {row.trial_id for row in connection.execute(select(observations))}
        assert observed == {t.id for t in trials if t.state in OBSERVED}


def test_no_history_breaks_the_budget(tmp_path: Path, make_spec: Callable[..., Experiment]) -> None:
    count = 0

    def make_store() -> tuple[Store, ExperimentRecord]:
        nonlocal count
        count += 1
        opened = Store(tmp_path / str(count))
        return opened, opened.create_experiment(make_spec(budget=AnyHistory.budget), tmp_path)

    class History(AnyHistory):
        pass

    History.make_store = staticmethod(make_store)
    History.TestCase.settings = settings(max_examples=15, stateful_step_count=25, deadline=None)
    case = History.TestCase()
    case.runTest()
