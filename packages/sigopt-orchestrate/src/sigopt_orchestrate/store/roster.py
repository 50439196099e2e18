"""The leader's picture of its experiment: what only it may change, it need not read again."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from sigopt_orchestrate.lifecycle import IN_FLIGHT, OPEN, TrialState
from sigopt_orchestrate.store.records import TrialRecord


@dataclass
class Roster:
    """An experiment's trials by id, and again by what they wait for.

    Looking at it costs what is in flight, however many trials have ended.

    Attributes:
        trials: All of them, in the order of their numbers.
        in_flight: Those that may have a process.
        waiting: Those in the queue, or on their way back to it.
        observed: How many have their observation.
        held: How many hold a place in the budget: open or observed.
        changed: Those that have moved since `take_changes`, as they are now.
    """

    trials: dict[int, TrialRecord] = field(default_factory=dict)
    in_flight: dict[int, TrialRecord] = field(default_factory=dict)
    waiting: dict[int, TrialRecord] = field(default_factory=dict)
    observed: int = 0
    held: int = 0
    changed: dict[int, TrialRecord] = field(default_factory=dict)

    def replace_all(self, trials: Iterable[TrialRecord]) -> None:
        """Forgets what it holds and takes these trials, by number."""
        known, self.trials = self.trials, {}
        moved, self.changed = self.changed, {}
        self.in_flight, self.waiting = {}, {}
        self.observed = self.held = 0
        for trial in trials:
            self._count(trial, 1)
            self.trials[trial.id] = trial
            if trial.id in moved or known.get(trial.id) != trial:
                self.changed[trial.id] = trial

    def put(self, trial: TrialRecord) -> TrialRecord:
        """Takes a trial's new state, and returns the trial."""
        before = self.trials.get(trial.id)
        if before is not None:
            self._count(before, -1)
        self._count(trial, 1)
        self.trials[trial.id] = self.changed[trial.id] = trial
        return trial

    def take_changes(self) -> list[TrialRecord]:
        """Returns what has changed since the last call, each trial once."""
        changes, self.changed = list(self.changed.values()), {}
        return changes

    def _count(self, trial: TrialRecord, change: int) -> None:
        state = trial.state
        if state in IN_FLIGHT:
            _file(self.in_flight, trial, change)
        elif state is TrialState.QUEUED or state is TrialState.PREEMPTED:
            _file(self.waiting, trial, change)
        elif state.observed:
            self.observed += change
            self.held += change
        if state in OPEN:
            self.held += change


def _file(shelf: dict[int, TrialRecord], trial: TrialRecord, change: int) -> None:
    if change > 0:
        shelf[trial.id] = trial
    else:
        del shelf[trial.id]
