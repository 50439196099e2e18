"""Runs one experiment to its end: look, plan, record, act, wait."""

import errno
import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TypeVar

from sigopt_orchestrate.errors import StoreUnavailableError, SuggestionError
from sigopt_orchestrate.executors import Attempt, Ended, Executor, Presence, Starting
from sigopt_orchestrate.lifecycle import ExperimentState, TrialState
from sigopt_orchestrate.reconcile.early import EarlyEnds
from sigopt_orchestrate.reconcile.heartbeat import Heartbeat
from sigopt_orchestrate.reconcile.limits import limit_reached
from sigopt_orchestrate.reconcile.outcome import Misconfigured, Outcome, read_outcome
from sigopt_orchestrate.reconcile.patience import Patience
from sigopt_orchestrate.reconcile.plan import (
    Advance,
    Collect,
    End,
    Recover,
    free_slots,
    next_step,
)
from sigopt_orchestrate.reconcile.retries import take_retries
from sigopt_orchestrate.reconcile.settle import lose, settle
from sigopt_orchestrate.reconcile.suggestions import Suggestions
from sigopt_orchestrate.reconcile.supply import Supply
from sigopt_orchestrate.reconcile.waker import Waker
from sigopt_orchestrate.reconcile.work import work_of
from sigopt_orchestrate.store import ExperimentFolder, ExperimentRecord, Ledger, TrialRecord

Watch = Callable[[ExperimentRecord, Collection[TrialRecord], Sequence[TrialRecord]], None]
"""Called after every look around: the experiment, its trials by number, and those that moved."""

_T = TypeVar("_T")
_log = logging.getLogger(__name__)

# A configuration that two different trials could not run with, none can.
_MISCONFIGURED_LIMIT = 2
_FULL_LOOK_S = 1.0  # in between, only those are looked at that said something or are starting
_START_LOOK_S = 0.1
_RETRY_S = 0.5
_STOP_PATIENCE_S = 10.0
_PASSING = {errno.ENOSPC, errno.EDQUOT, errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE}


class RunLoop:
    """The leader's work on one experiment.

    All decisions come from the stored trials and what the executor finds, never from what an
    earlier pass remembers; so it makes no difference whether this is the first leader or one that
    follows a crash. A pass records all that it found and all that it intends in one transaction,
    and only then acts.
    """

    def __init__(
        self,
        ledger: Ledger,
        folder: ExperimentFolder,
        executor: Executor,
        suggestions: Suggestions | None,
        watch: Watch,
    ) -> None:
        """Opens the experiment for running; stopped trials are queued again.

        Args:
            ledger: The fenced writer.
            folder: Where the experiment's files lie.
            executor: Runs the attempts.
            suggestions: Where new trials come from; None for a loop that only ends what runs.
            watch: See `Watch`.
        """
        self._ledger = ledger
        self._folder = folder
        self._executor = executor
        self._watch = watch
        self._waker = Waker(folder)
        self._experiment = ledger.reopen()
        if ledger.retries:
            self._experiment = take_retries(ledger)
        self._supply = Supply(self._experiment.spec, suggestions)
        self._early = EarlyEnds(self._experiment.spec, folder)
        spec = self._experiment.spec
        self._patience = Patience(spec.timeouts, saves=spec.artifacts is not None)
        self._heart = Heartbeat(folder.heartbeat, spec.timeouts.heartbeat_s)
        self._stop_requested = False
        self._verdict: str | None = None
        self._limit: str | None = None
        self._misconfigured: set[int] = set()
        self._hints: set[tuple[int, int]] = set()
        self._next_full_look = 0.0
        ledger.roster.take_changes()
        self._supply.remember(ledger.trials())

    def request_stop(self) -> None:
        """Makes `run` end all trials and return; may be called from a signal handler."""
        self._stop_requested = True
        self._waker.wake()

    def run(self) -> ExperimentRecord:
        """Returns the experiment once it has ended: completed, stopped or failed.

        Raises:
            StoreUnavailableError: If a stop is requested and the store has not been to be had for
                some seconds; without that, it waits for the store to come back.
        """
        try:
            while not self._finished():
                moved = self._patiently(self._pass)
                if not moved and not self._finished():
                    self._wait(self._pause_s())
            self._experiment = self._patiently(self._end)
        finally:
            self._waker.close()
            self._executor.close()
        self._show()
        return self._experiment

    @property
    def _stopping(self) -> bool:
        return self._stop_requested or self._verdict is not None

    def _finished(self) -> bool:
        roster = self._ledger.roster
        if roster.in_flight:
            return False
        over = self._stopping or self._limit is not None
        return over or roster.observed >= self._experiment.spec.budget

    def _end(self) -> ExperimentRecord:
        if self._verdict is not None:
            return self._ledger.end(ExperimentState.FAILED, self._verdict)
        if self._ledger.roster.observed < self._experiment.spec.budget:
            return self._ledger.end(ExperimentState.STOPPED, self._limit or "asked to stop")
        return self._ledger.end(ExperimentState.COMPLETED)

    def _patiently(self, work: Callable[[], _T]) -> _T:
        """Does `work`, again and again where the store is not to be had at present."""
        since: float | None = None
        while True:
            try:
                done = work()
            except StoreUnavailableError as error:
                if since is None:
                    since = time.monotonic()
                    _log.warning("waiting for the store: %s", error)
                elif self._stop_requested and time.monotonic() - since > _STOP_PATIENCE_S:
                    raise
                self._next_full_look = 0.0  # what was found has not been recorded
                self._heart.beat()
                self._wait(_RETRY_S)
            else:
                if since is not None:
                    _log.warning("the store is back")
                return done

    def _pass(self) -> bool:
        """Looks and acts once; returns whether a trial moved, and so another look is due now."""
        self._heart.beat()
        self._hear_suggestion()
        self._ledger.catch_up()
        found, ended = self._look()
        with self._ledger.group():
            self._stop_requested |= self._ledger.stop_requested
            if self._ledger.retries:
                self._experiment = take_retries(self._ledger)
                self._supply.follow(self._experiment.spec)
            doomed = [trial for trial in found if self._record(trial, found[trial], ended)]
            self._requeue()
            leased = [] if self._stopping or self._ledger.paused else self._fill()
        self._hints.clear()
        self._supply.stored()
        moved = self._show()
        for trial_id in doomed:
            self._make_end(self._ledger.roster.trials[trial_id])
        for trial in leased:
            self._submit(trial)
        in_flight = self._ledger.roster.in_flight.values()
        self._executor.retain({trial.token for trial in in_flight if trial.token is not None})
        if not self._stopping and not self._ledger.paused:
            self._supply.ask(self._ledger.roster, self._free_slots())
        return moved and not leased

    def _look(self) -> tuple[dict[int, Presence], dict[int, Outcome]]:
        """Returns what is found of the trials in flight, and how those ended that have."""
        now = time.monotonic()
        full = now >= self._next_full_look or self._stopping
        if full:
            self._early.look(self._ledger.roster.trials.values())
            self._next_full_look = now + _FULL_LOOK_S
        found, ended = {}, {}
        for trial in self._ledger.roster.in_flight.values():
            hinted = (trial.number, trial.attempt) in self._hints
            if full or hinted or trial.state is not TrialState.RUNNING:
                attempt = self._attempt(trial)
                presence = found[trial.id] = self._executor.find(attempt)
                if isinstance(presence, Ended):
                    spec = self._experiment.spec
                    ended[trial.id] = read_outcome(spec, attempt.folder, presence.exit)
        return found, ended

    def _record(self, trial_id: int, presence: Presence, ended: Mapping[int, Outcome]) -> bool:
        """Records what was found of a trial; returns whether its attempt is to be ended."""
        trial = self._ledger.roster.trials[trial_id]
        token = trial.token or ""
        late = isinstance(presence, Starting) and self._patience.pending_too_long(token)
        spec = self._experiment.spec
        match next_step(trial.state, presence, ending=self._stopping or late):
            case Advance(state):
                self._ledger.advance(trial, state)
            case Collect():
                self._patience.forget(token)
                self._judge(settle(self._ledger, spec, trial, ended[trial_id]), ended[trial_id])
            case Recover(charged, reason):
                late = self._patience.is_overdue(token)
                self._patience.forget(token)
                if late:
                    reason = ": ".join(filter(None, ("it did not start in time", reason)))
                reason = reason or "its process was lost"
                lost = lose(self._ledger, spec, trial, reason, charged=charged or late)
                self._patience.pause(lost)
            case End():
                return True
        return False

    def _judge(self, trial: TrialRecord, ended: Outcome) -> None:
        """Draws conclusions about the experiment from how one attempt ended."""
        if trial.state is TrialState.PREEMPTED:
            self._patience.pause(trial)
        if isinstance(ended, Misconfigured):
            self._misconfigured.add(trial.id)
            if len(self._misconfigured) >= min(_MISCONFIGURED_LIMIT, self._experiment.spec.budget):
                self._verdict = ended.reason

    def _requeue(self) -> None:
        for trial in list(self._ledger.roster.waiting.values()):
            if trial.state is TrialState.PREEMPTED and not self._patience.pause_left_s(trial):
                self._ledger.requeue(trial)

    def _fill(self) -> list[TrialRecord]:
        """Stores the new trials and leases as many of the queued ones as may start now."""
        roster = self._ledger.roster
        for suggestion in self._supply.arrived:
            self._ledger.add_trial(suggestion.assignments, suggestion.source)
        queued = [t for t in roster.waiting.values() if t.state is TrialState.QUEUED]
        chosen = queued[: self._free_slots()]
        if chosen and self._limit is None:
            self._limit = limit_reached(self._experiment, self._folder)
        return [] if self._limit else [self._ledger.lease(trial) for trial in chosen]

    def _free_slots(self) -> int:
        in_flight = len(self._ledger.roster.in_flight)
        return free_slots(in_flight=in_flight, parallel=self._experiment.spec.parallel)

    def _submit(self, trial: TrialRecord) -> None:
        attempt = self._attempt(trial)
        try:
            self._executor.submit(attempt, work_of(self._experiment, trial, attempt.folder))
        except OSError as error:
            reason = f"could not be started: {error.strerror}"
            charged = error.errno not in _PASSING
            lost = lose(self._ledger, self._experiment.spec, trial, reason, charged=charged)
            self._patience.pause(lost, at_least_s=0.0 if charged else 1.0)

    def _make_end(self, trial: TrialRecord) -> None:
        if self._patience.ending_too_long(trial.token or ""):
            self._executor.kill(self._attempt(trial))
        else:
            self._executor.end(self._attempt(trial))

    def _show(self) -> bool:
        """Tells the watcher what has moved, and returns whether anything has."""
        roster = self._ledger.roster
        moved = roster.take_changes()
        self._supply.remember(moved)
        self._watch(self._experiment, roster.trials.values(), moved)
        return bool(moved)

    def _hear_suggestion(self) -> None:
        if self._stopping:
            return
        try:
            self._supply.hear()
        except SuggestionError as error:
            self._verdict = str(error)

    def _attempt(self, trial: TrialRecord) -> Attempt:
        folder = self._folder.attempt(trial.number, trial.attempt)
        return Attempt(token=trial.token or "", folder=folder)

    def _pause_s(self) -> float:
        """Returns how long there is nothing to do, unless somebody says something."""
        roster = self._ledger.roster
        pauses = [self._patience.pause_left_s(t) for t in roster.waiting.values()]
        starting = any(t.state is not TrialState.RUNNING for t in roster.in_flight.values())
        return min([self._heart.beat_s, *(p for p in pauses if p), *([_START_LOOK_S] * starting)])

    def _wait(self, seconds: float) -> None:
        self._hints |= self._waker.wait(self._supply.awaited, seconds)
