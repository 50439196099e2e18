"""Runs one experiment to its end: look, plan, act, wait."""

import contextlib
import os
import select
from collections.abc import Callable, Sequence

from sigopt_orchestrate.errors import SuggestionError
from sigopt_orchestrate.executors import Attempt, Executor, Exit
from sigopt_orchestrate.lifecycle import ExperimentState, TrialState
from sigopt_orchestrate.optimizer import Observed
from sigopt_orchestrate.reconcile import outcome
from sigopt_orchestrate.reconcile.plan import (
    Action,
    Advance,
    Collect,
    End,
    Recover,
    Start,
    Suggest,
    plan,
)
from sigopt_orchestrate.reconcile.suggestions import Suggestions
from sigopt_orchestrate.reconcile.work import work_of
from sigopt_orchestrate.store import ExperimentFolder, ExperimentRecord, Ledger, TrialRecord

Watch = Callable[[ExperimentRecord, Sequence[TrialRecord]], None]
"""Called after every look around, with the experiment and its trials by number."""

# A configuration that two different trials could not run with, none can.
_MISCONFIGURED_LIMIT = 2


class RunLoop:
    """The leader's work on one experiment.

    All decisions come from the stored trials and what the executor finds, never from what an
    earlier pass remembers; so it makes no difference whether this is the first leader or one that
    follows a crash.
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
        self._suggestions = suggestions
        self._watch = watch
        self._experiment = ledger.reopen()
        self._trials = {trial.id: trial for trial in ledger.trials()}
        self._stop_requested = False
        self._verdict: str | None = None
        self._misconfigured: set[int] = set()
        folder.root.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            os.mkfifo(folder.wake)
        self._wake = os.open(folder.wake, os.O_RDWR | os.O_NONBLOCK)

    def request_stop(self) -> None:
        """Makes `run` end all trials and return; may be called from a signal handler."""
        self._stop_requested = True
        with contextlib.suppress(OSError):
            os.write(self._wake, b".")

    def run(self) -> ExperimentRecord:
        """Returns the experiment once it has ended: completed, stopped or failed."""
        try:
            while not self._finished():
                acted = self._pass()
                self._watch(self._experiment, list(self._trials.values()))
                if not acted and not self._finished():
                    self._wait()
        finally:
            # A signal may come at any time, and this number may be the database's next.
            wake, self._wake = self._wake, -1
            os.close(wake)
        if self._verdict is not None:
            self._experiment = self._ledger.end(ExperimentState.FAILED, self._verdict)
        elif self._observed() < self._experiment.spec.budget:
            self._experiment = self._ledger.end(ExperimentState.STOPPED, "stopped on request")
        else:
            self._experiment = self._ledger.end(ExperimentState.COMPLETED)
        self._watch(self._experiment, self._ledger.trials())
        return self._experiment

    @property
    def _stopping(self) -> bool:
        return self._stop_requested or self._verdict is not None

    def _observed(self) -> int:
        return sum(trial.state.observed for trial in self._trials.values())

    def _finished(self) -> bool:
        if any(trial.state.in_flight for trial in self._trials.values()):
            return False
        return self._stopping or self._observed() >= self._experiment.spec.budget

    def _pass(self) -> bool:
        """Looks and acts once; returns whether a trial moved, and so another look is due now."""
        self._folder.heartbeat.touch()
        self._stop_requested |= self._ledger.stop_requested()
        self._take_suggestion()
        trials = list(self._trials.values())
        found = {
            trial.id: self._executor.find(self._attempt(trial))
            for trial in trials
            if trial.state.in_flight
        }
        spec = self._experiment.spec
        actions = plan(
            trials, found, budget=spec.budget, parallel=spec.parallel, stopping=self._stopping
        )
        for action in actions:
            self._perform(action)
        return any(not isinstance(action, End | Suggest) for action in actions)

    def _wait(self) -> None:
        """Waits for a trial's end, a suggestion, a request to stop, or the next heartbeat."""
        ready = [self._wake]
        if self._suggestions is not None and self._suggestions.busy:
            ready.append(self._suggestions.fileno())
        heartbeat_s = min(1.0, self._experiment.spec.timeouts.heartbeat_s / 4)
        if self._wake in select.select(ready, [], [], heartbeat_s)[0]:
            with contextlib.suppress(BlockingIOError):
                os.read(self._wake, 4096)

    def _take_suggestion(self) -> None:
        if self._suggestions is None or not self._suggestions.busy:
            return
        try:
            suggestion = self._suggestions.poll()
        except SuggestionError as error:
            self._verdict = str(error)
            return
        if suggestion is not None and not self._stopping:
            trial = self._ledger.add_trial(suggestion.assignments, suggestion.source)
            if trial is not None:
                self._trials[trial.id] = trial

    def _perform(self, action: Action) -> None:
        match action:
            case Advance(trial, state):
                self._keep(self._ledger.advance(trial, state))
            case Collect(trial, end):
                self._collect(trial, end)
            case Recover(trial, charged):
                self._recover(trial, "its process was lost", charged=charged)
            case End(trial):
                self._executor.end(self._attempt(trial))
            case Start(trial):
                self._start(trial)
            case Suggest():
                self._ask()

    def _start(self, trial: TrialRecord) -> None:
        leased = self._keep(self._ledger.lease(trial))
        attempt = self._attempt(leased)
        try:
            self._executor.submit(attempt, work_of(self._experiment, leased, attempt.folder))
        except OSError as error:
            self._recover(leased, f"could not be started: {error}", charged=True)
        else:
            self._keep(self._ledger.advance(leased, TrialState.SUBMITTED))

    def _collect(self, trial: TrialRecord, end: Exit) -> None:
        if trial.state is TrialState.LEASED:
            trial = self._ledger.advance(trial, TrialState.SUBMITTED)
        if trial.state is not TrialState.REPORTING:
            trial = self._ledger.advance(trial, TrialState.REPORTING)
        spec = self._experiment.spec
        match outcome.read_outcome(spec, self._attempt(trial).folder, end):
            case outcome.Observed(values):
                self._keep(self._ledger.observe(trial, values))
            case outcome.Failed(reason):
                if trial.errors < spec.retries.error:
                    self._keep(self._ledger.requeue(trial, reason, errors=1))
                else:
                    self._keep(self._ledger.observe(trial, None, reason))
            case outcome.Interrupted(reason):
                self._recover(trial, reason, charged=True)
            case outcome.Stopped():
                self._keep(self._ledger.stop(trial, "stopped on request"))
            case outcome.Misconfigured(reason):
                self._keep(self._ledger.stop(trial, reason))
                self._misconfigured.add(trial.id)
                if len(self._misconfigured) >= min(_MISCONFIGURED_LIMIT, spec.budget):
                    self._verdict = reason

    def _recover(self, trial: TrialRecord, reason: str, *, charged: bool) -> None:
        if charged and trial.losses >= self._experiment.spec.retries.infra:
            reason = f"given up after {trial.losses + 1} attempts: {reason}"
            self._keep(self._ledger.observe(trial, None, reason))
        else:
            self._keep(self._ledger.requeue(trial, reason, losses=int(charged)))

    def _ask(self) -> None:
        if self._suggestions is None or self._suggestions.busy:
            return
        names = [metric.name for metric in self._experiment.spec.objectives]
        history, pending = [], []
        for trial in self._trials.values():
            if trial.state.observed:
                values = trial.values
                reported = None if values is None else tuple(values[name] for name in names)
                history.append(Observed(trial.assignments, reported))
            else:
                pending.append(trial.assignments)
        self._suggestions.request(history, pending)

    def _attempt(self, trial: TrialRecord) -> Attempt:
        folder = self._folder.attempt(trial.number, trial.attempt)
        return Attempt(token=trial.token or "", folder=folder)

    def _keep(self, trial: TrialRecord) -> TrialRecord:
        self._trials[trial.id] = trial
        return trial
