"""The ledger: every step once, the budget exact, earlier leaders fenced off."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from sigopt_orchestrate.errors import LeadershipError, StoreError
from sigopt_orchestrate.lifecycle import IN_FLIGHT, OPEN, ExperimentState, TrialState
from sigopt_orchestrate.spec import Experiment
from sigopt_orchestrate.store import ExperimentRecord, Ledger, Store, TrialRecord


def started(ledger: Ledger) -> TrialRecord:
    trial = ledger.add_trial({"x": 0.5}, "quasi-random")
    assert trial is not None
    leased = ledger.lease(trial)
    return ledger.advance(ledger.advance(leased, TrialState.SUBMITTED), TrialState.RUNNING)


def fail_half_way(ledger: Ledger) -> None:
    """Begins a group that moves whatever it can, and does not end."""

    def move() -> None:
        with ledger.group():
            for trial in ledger.trials():
                if trial.state in IN_FLIGHT:
                    ledger.report(str(trial.token), {"y": 1.0})
            ledger.add_trial({"x": 0.2}, "random")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        move()


def test_a_trial_is_observed_once(store: Store, experiment: ExperimentRecord) -> None:
    ledger = Ledger(store, experiment.id)
    token = str(started(ledger).token)
    done = ledger.report(token, {"y": 1.0})
    assert (done.state, done.values) == (TrialState.COMPLETED, {"y": 1.0})
    assert ledger.report(token, {"y": 2.0}) == done, "saying it again changes nothing"
    assert ledger.report(token, None, "no") == done
    assert store.trials(experiment.id) == [done]
    with pytest.raises(StoreError, match="no attempt 'elsewhere'"):
        ledger.report("elsewhere", {"y": 1.0})


def test_a_late_step_of_an_older_attempt_is_refused(
    store: Store, experiment: ExperimentRecord
) -> None:
    ledger = Ledger(store, experiment.id)
    first = started(ledger)
    second = ledger.lease(ledger.requeue(ledger.preempt(first, "lost", losses=1)))
    assert (second.attempt, second.losses) == (2, 1)
    assert second.token != first.token
    with pytest.raises(LeadershipError, match="changed by another"):
        ledger.advance(first, TrialState.REPORTING)


@pytest.mark.parametrize("newer", ["none", "queued", "running"])
def test_a_late_success_counts_while_no_newer_one_does(
    store: Store, experiment: ExperimentRecord, newer: str
) -> None:
    ledger = Ledger(store, experiment.id)
    first = started(ledger)
    trial = ledger.preempt(first, "lost", losses=1)
    if newer != "none":
        trial = ledger.requeue(trial)
    if newer == "running":
        trial = ledger.lease(trial)
    assert ledger.report(str(first.token), None, "exit status 1").state is trial.state
    done = ledger.report(str(first.token), {"y": 1.0})
    assert (done.state, done.values) == (TrialState.COMPLETED, {"y": 1.0})
    if newer == "running":
        assert ledger.report(str(trial.token), {"y": 2.0}) == done, "too late, and kept"
        late = store.connection.execute("SELECT attempt, metrics FROM late_reports ORDER BY 1")
        assert late.fetchall() == [(1, None), (2, '{"y": 2.0}')]


def test_an_earlier_leader_is_fenced_off(
    stores: Callable[[], Store], make_spec: Callable[..., Experiment]
) -> None:
    ours, theirs = stores(), stores()
    experiment = ours.create_experiment(make_spec(), Path("/"))
    earlier = Ledger(ours, experiment.id)
    trial = started(earlier)
    later = Ledger(theirs, experiment.id)
    with pytest.raises(LeadershipError, match="taken experiment 1 over"):
        earlier.advance(trial, TrialState.REPORTING)
    assert later.advance(trial, TrialState.REPORTING).state is TrialState.REPORTING


def test_every_step_leaves_an_event(store: Store, experiment: ExperimentRecord) -> None:
    ledger = Ledger(store, experiment.id)
    ledger.report(str(started(ledger).token), None, "exit status 1")
    steps = store.connection.execute('SELECT "after" FROM events ORDER BY id').fetchall()
    assert [step for (step,) in steps] == [
        "queued",
        "leased",
        "submitted",
        "running",
        "reporting",
        "failed",
    ]


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
    ended = ledger.end(ExperimentState.STOPPED, "asked to stop")
    [stopped] = ledger.trials()
    assert (stopped.state, stopped.reason) == (TrialState.STOPPED, "asked to stop")
    assert ended.stop_requested
    again = ledger.reopen()
    assert (again.state, again.stop_requested) == (ExperimentState.RUNNING, False)
    assert [trial.state for trial in ledger.trials()] == [TrialState.QUEUED]


def test_a_group_is_stored_whole_or_not_at_all(
    stores: Callable[[], Store], make_spec: Callable[..., Experiment]
) -> None:
    ours, theirs = stores(), stores()
    experiment = ours.create_experiment(make_spec(), Path("/"))
    ledger = Ledger(ours, experiment.id)
    kept = started(ledger)
    fail_half_way(ledger)
    assert theirs.trials(experiment.id) == [kept]
    with ledger.group():
        added = ledger.add_trial({"x": 1.0}, "random")
        assert theirs.trials(experiment.id) == [kept]
    assert added is not None
    assert added.number == 2
    assert theirs.trials(experiment.id) == ledger.trials() == [kept, added]


class AnyHistory(RuleBasedStateMachine):
    """Whatever happens in whatever order, by two leaders that each think they lead.

    The budget is never exceeded, no trial is observed twice, and what the leader has in memory is
    what is stored.
    """

    budget = 4
    both: tuple[Store, Store]
    spec: Experiment

    @initialize()
    def begin(self) -> None:
        self.stores = type(self).both
        self.store = self.stores[0]
        self.id = self.store.create_experiment(type(self).spec, Path("/")).id
        self.ledgers = [Ledger(store, self.id) for store in self.stores]
        self.leader = 1
        self.observed: dict[int, object] = {}

    @property
    def ledger(self) -> Ledger:
        return self.ledgers[self.leader]

    def _some(self, chosen: int, *states: TrialState) -> TrialRecord | None:
        found = [t for t in self.ledger.trials() if t.state in states]
        return found[chosen % len(found)] if found else None

    @rule(count=st.integers(1, 3))
    def add(self, count: int) -> None:
        with self.ledger.group():
            for _ in range(count):
                held = self.ledger.roster.held
                assert (self.ledger.add_trial({"x": 0.1}, "random") is None) == (
                    held >= self.budget
                )

    @rule(chosen=st.integers(0, 9))
    def lease(self, chosen: int) -> None:
        if trial := self._some(chosen, TrialState.QUEUED):
            self.ledger.lease(trial)

    @rule(chosen=st.integers(0, 9))
    def submit(self, chosen: int) -> None:
        if trial := self._some(chosen, TrialState.LEASED):
            self.ledger.advance(trial, TrialState.SUBMITTED)

    @rule(chosen=st.integers(0, 9))
    def lose(self, chosen: int) -> None:
        if trial := self._some(chosen, *IN_FLIGHT):
            self.ledger.preempt(trial, "lost", losses=1)

    @rule(chosen=st.integers(0, 9))
    def requeue(self, chosen: int) -> None:
        if trial := self._some(chosen, TrialState.PREEMPTED):
            self.ledger.requeue(trial)

    @rule(chosen=st.integers(0, 9), value=st.one_of(st.none(), st.floats(0, 1)))
    def report(self, chosen: int, value: float | None) -> None:
        rows = self.store.connection.execute(
            "SELECT token FROM attempts JOIN trials ON trials.id = trial_id"
            " WHERE experiment_id = ? ORDER BY trial_id, attempts.number",
            (self.id,),
        ).fetchall()
        if rows:
            token = rows[chosen % len(rows)][0]
            self.ledger.report(token, None if value is None else {"y": value})

    @rule(chosen=st.integers(0, 9))
    def stop(self, chosen: int) -> None:
        if trial := self._some(chosen, *IN_FLIGHT):
            self.ledger.stop(trial, "stopped")

    @rule()
    def end_and_reopen(self) -> None:
        self.ledger.end(ExperimentState.STOPPED)
        self.ledger.reopen()

    @rule()
    def take_over(self) -> None:
        self.leader = 1 - self.leader
        self.ledgers[self.leader] = Ledger(self.stores[self.leader], self.id)

    @rule()
    def write_too_late(self) -> None:
        with pytest.raises(LeadershipError):
            self.ledgers[1 - self.leader].add_trial({"x": 0.0}, "random")

    @rule()
    def fail(self) -> None:
        fail_half_way(self.ledger)
        with self.ledger.group():
            pass  # it reads again what was stored

    @invariant()
    def what_is_stored_is_what_is_known(self) -> None:
        if not hasattr(self, "ledgers"):
            return
        stored = self.store.trials(self.id)
        assert stored == self.ledger.trials()
        roster = self.ledger.roster
        assert roster.held == sum(t.state in OPEN or t.state.observed for t in stored)
        assert roster.held <= self.budget
        assert set(roster.in_flight) == {t.id for t in stored if t.state in IN_FLIGHT}
        for trial in stored:
            if trial.state.observed:
                assert self.observed.setdefault(trial.id, trial.values) == trial.values
            else:
                assert trial.id not in self.observed, "what is observed stays observed"


def test_no_history_breaks_the_budget(
    stores: Callable[[], Store], make_spec: Callable[..., Experiment]
) -> None:
    class History(AnyHistory):
        both = (stores(), stores())
        spec = make_spec(budget=AnyHistory.budget)

    History.TestCase.settings = settings(
        max_examples=40,
        stateful_step_count=30,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    History.TestCase().runTest()
