"""Where the loop's new trials come from: one request at a time, and what came of it."""

from collections.abc import Iterable

from sigopt_orchestrate.optimizer import Observed, Suggestion
from sigopt_orchestrate.reconcile.plan import wanted
from sigopt_orchestrate.reconcile.suggestions import Suggestions
from sigopt_orchestrate.spec import Experiment
from sigopt_orchestrate.store import Roster, TrialRecord

_MODELLESS = {"random", "quasi-random", "grid"}


class Supply:
    """Asks for suggestions ahead of time, and keeps them until they are stored.

    Args:
        spec: The experiment.
        suggestions: Where they come from; None for an experiment that only ends.
    """

    def __init__(self, spec: Experiment, suggestions: Suggestions | None) -> None:
        self._spec = spec
        self._suggestions = suggestions
        self._history: list[Observed] = []
        self._arrived: list[Suggestion] = []

    def follow(self, spec: Experiment) -> None:
        """Takes the experiment as it is now: its budget may have grown."""
        self._spec = spec

    @property
    def awaited(self) -> Suggestions | None:
        """Whose answer is under way, for `Waker.wait`."""
        busy = self._suggestions is not None and self._suggestions.busy
        return self._suggestions if busy else None

    def hear(self) -> None:
        """Takes the answer, if it is there.

        Raises:
            SuggestionError: If there will be none.
        """
        suggestion = self.awaited.poll() if self.awaited is not None else None
        if suggestion is not None:
            self._arrived.append(suggestion)

    @property
    def arrived(self) -> tuple[Suggestion, ...]:
        """What is there to be stored."""
        return tuple(self._arrived)

    def stored(self) -> None:
        """Forgets what has arrived: it is in the store now, or there is no room for it."""
        self._arrived.clear()

    def remember(self, trials: Iterable[TrialRecord]) -> None:
        """Appends observations to the history; what is observed never moves again."""
        names = [metric.name for metric in self._spec.steering]
        for trial in trials:
            if trial.state.observed:
                values = trial.values
                reported = None if values is None else tuple(values[name] for name in names)
                self._history.append(Observed(trial.assignments, reported))

    def ask(self, roster: Roster, free: int) -> None:
        """Asks for another suggestion, if none is under way and there is room for one.

        Args:
            roster: The trials as they are.
            free: How many attempts may start now.
        """
        if self._suggestions is None or self._suggestions.busy:
            return
        spec = self._spec
        room = wanted(
            free=free,
            waiting=len(roster.waiting),
            held=roster.held,
            budget=spec.budget,
            # One at a time, the model waits for the last trial; an even spread has no need to.
            ahead=int(spec.parallel > 1 or spec.optimizer.algorithm in _MODELLESS),
        )
        if room:
            open_trials = (*roster.in_flight.values(), *roster.waiting.values())
            self._suggestions.request(self._history, [t.assignments for t in open_trials])
