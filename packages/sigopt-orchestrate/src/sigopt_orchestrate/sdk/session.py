"""Ask and tell: trials that run in the caller's own process."""

import math
import select
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass

from sigopt_orchestrate.errors import ReportError, StoreError, UnknownMetricError
from sigopt_orchestrate.lifecycle import ExperimentState, TrialState
from sigopt_orchestrate.optimizer import Observed, Suggestion, SuggestionService
from sigopt_orchestrate.spec import Assignments, Experiment
from sigopt_orchestrate.store import ExperimentRecord, Ledger, Store, TrialRecord, lead


@dataclass(frozen=True)
class Trial:
    """What to try.

    Attributes:
        number: Of the trial in its experiment.
        parameters: Its values by name.
    """

    number: int
    parameters: Assignments


class Session:
    """Gives out trials and takes their results; both are on disk before the method returns.

    Example:
        >>> with experiment.session() as session:  # doctest: +SKIP
        ...     while trial := session.ask():
        ...         session.tell(trial, accuracy=train(**trial.parameters))
    """

    def __init__(self, ledger: Ledger, spec: Experiment, suggestions: SuggestionService) -> None:
        """Takes over the experiment: trials that a dead session had given out are queued again."""
        self._ledger = ledger
        self._spec = spec
        self._suggestions = suggestions
        ledger.reopen()
        with ledger.group():
            for trial in list(ledger.roster.in_flight.values()):
                ledger.requeue(ledger.preempt(trial, "its session ended", losses=1))

    def ask(self) -> Trial | None:
        """Returns a trial to run, or None once the budget is given out.

        Many may be asked for before any is told about; the search accounts for all that are out.

        Raises:
            SuggestionError: If the optimiser fails.
        """
        roster = self._ledger.roster
        queued = next((t for t in roster.waiting.values() if t.state is TrialState.QUEUED), None)
        if queued is None and roster.held >= self._spec.budget:
            return None
        suggestion = self._suggest() if queued is None else None
        with self._ledger.group():
            if suggestion is not None:
                queued = self._ledger.add_trial(suggestion.assignments, suggestion.source)
            if queued is None:
                return None
            running = self._ledger.advance(self._ledger.lease(queued), TrialState.RUNNING)
        return Trial(running.number, dict(running.assignments))

    def tell(
        self, trial: Trial, values: Mapping[str, float] | None = None, **metrics: float
    ) -> None:
        """Records a trial's observation.

        One that is not finite, or lacks an objective, counts as failed.

        Args:
            trial: As it was given out.
            values: The metrics by name.
            **metrics: More of them.

        Raises:
            ReportError: If a metric is not the experiment's, or not a number.
            StoreError: If the trial is not out.
        """
        reported: dict[str, float] = {}
        known = [metric.name for metric in self._spec.metrics]
        for name, value in {**(values or {}), **metrics}.items():
            if name not in known:
                raise UnknownMetricError(name, known)
            try:
                reported[name] = float(value)
            except (TypeError, ValueError, OverflowError):
                raise ReportError(f"metric {name!r}: {value!r} is not a number") from None
        missing = [m.name for m in self._spec.steering if m.name not in reported]
        endless = [name for name, value in reported.items() if not math.isfinite(value)]
        if missing:
            self.fail(trial, f"metric {missing[0]!r} was not reported")
        elif endless:
            self.fail(trial, f"metric {endless[0]!r} is {reported[endless[0]]}")
        else:
            self._ledger.report(self._token(trial), reported)

    def fail(self, trial: Trial, reason: str = "failed") -> None:
        """Records that a trial has failed, and why.

        Raises:
            StoreError: If the trial is not out.
        """
        self._ledger.report(self._token(trial), None, reason)

    def _suggest(self) -> Suggestion:
        trials = self._ledger.trials()
        names = [metric.name for metric in self._spec.steering]
        history = [Observed(t.assignments, _values(t, names)) for t in trials if t.state.observed]
        pending = [t.assignments for t in self._ledger.roster.in_flight.values()]
        self._suggestions.request(history, pending)
        while (suggestion := self._suggestions.poll()) is None:
            select.select([self._suggestions], [], [])
        return suggestion

    def _token(self, trial: Trial) -> str:
        found = self._find(trial)
        if found is None or not found.state.in_flight or found.token is None:
            raise StoreError(f"trial {trial.number} is not out: it was told about, or never asked")
        return found.token

    def _find(self, trial: Trial) -> TrialRecord | None:
        return next((t for t in self._ledger.trials() if t.number == trial.number), None)


@contextmanager
def open_session(store: Store, experiment: ExperimentRecord) -> Iterator[Session]:
    """Leads the experiment for as long as the context lasts; see `Experiment.session`."""
    log = store.home.experiment(experiment.id).optimizer_log
    with (
        lead(store, experiment.id) as ledger,
        closing(SuggestionService(experiment.spec, log)) as suggestions,
    ):
        try:
            yield Session(ledger, experiment.spec, suggestions)
        finally:
            done = ledger.roster.observed >= experiment.spec.budget
            state = ExperimentState.COMPLETED if done else ExperimentState.STOPPED
            ledger.end(state, None if done else "its session ended")


def _values(trial: TrialRecord, names: list[str]) -> tuple[float, ...] | None:
    return None if trial.values is None else tuple(trial.values[name] for name in names)
