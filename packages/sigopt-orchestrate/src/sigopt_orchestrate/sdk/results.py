"""What came out of an experiment, as values."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sigopt_orchestrate.dashboard import best_trials, write_report
from sigopt_orchestrate.interchange import tables
from sigopt_orchestrate.lifecycle import ExperimentState
from sigopt_orchestrate.store import (
    Checkpoint,
    ExperimentFolder,
    ExperimentRecord,
    TrialRecord,
    read_checkpoints,
)


@dataclass(frozen=True)
class Results:
    """An experiment and its trials at one moment.

    Attributes:
        experiment: With its id, its state and its specification.
        trials: All of them by number, in any state.
        folder: Where the trials' files lie.
    """

    experiment: ExperimentRecord
    trials: tuple[TrialRecord, ...]
    folder: ExperimentFolder

    def __len__(self) -> int:
        return len(self.trials)

    def __iter__(self) -> Iterator[TrialRecord]:
        return iter(self.trials)

    @property
    def state(self) -> ExperimentState:
        """Whether it is completed, stopped, failed or still running."""
        return self.experiment.state

    @property
    def front(self) -> list[TrialRecord]:
        """The Pareto front of two objectives, the best by the first one first; or the best."""
        return best_trials(self.experiment.spec, self.trials)

    @property
    def best(self) -> TrialRecord | None:
        """The best trial by the first objective; None if no trial is completed."""
        return next(iter(self.front), None)

    def rows(self) -> list[dict[str, Any]]:
        """Returns a flat mapping for each trial, see `interchange.tables.rows`."""
        return tables.rows(self.experiment.spec, self.trials)

    def to_frame(self) -> Any:
        """Returns the rows as a pandas DataFrame, indexed by the trials' numbers.

        Raises:
            MissingDependencyError: If pandas is not installed.
        """
        return tables.frame(self.experiment.spec, self.trials)

    def checkpoints(self, trial: TrialRecord) -> list[Checkpoint]:
        """Returns what the present attempt of a trial has reported with a step, oldest first."""
        report = self.folder.attempt(trial.number, trial.attempt).metrics
        return read_checkpoints(report, [m.name for m in self.experiment.spec.metrics])

    def report(self, path: Path | str) -> Path:
        """Writes the self-contained HTML page, and returns its path."""
        write_report([(self.experiment, self.trials)], Path(path))
        return Path(path)
