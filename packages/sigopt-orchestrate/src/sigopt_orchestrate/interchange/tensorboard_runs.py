"""An experiment's trials as TensorBoard event files: curves and the HParams table."""

from collections.abc import Sequence
from pathlib import Path

from sigopt_orchestrate.errors import MissingDependencyError
from sigopt_orchestrate.store import (
    ExperimentFolder,
    ExperimentRecord,
    TrialRecord,
    read_checkpoints,
)


class TensorBoardLogger:
    """Logs observed trials, each into a folder of its own below `folder`, once.

    Raises:
        MissingDependencyError: If TensorBoard is not installed.
    """

    def __init__(self, folder: Path) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415 - an extra
        except ImportError:
            raise MissingDependencyError(
                "logging to TensorBoard", "tensorboard", "tensorboard"
            ) from None
        self._writer = SummaryWriter
        self._folder = folder

    def log_all(
        self,
        experiment: ExperimentRecord,
        trials: Sequence[TrialRecord],
        folder: ExperimentFolder,
    ) -> None:
        """Logs the trials that are observed and have no folder yet; see `MlflowLogger.log_all`."""
        for trial in trials:
            target = self._folder / f"experiment-{experiment.id}" / f"trial-{trial.number:04d}"
            if trial.state.observed and not target.exists():
                self._log(target, experiment, trial, folder)

    def _log(
        self,
        target: Path,
        experiment: ExperimentRecord,
        trial: TrialRecord,
        folder: ExperimentFolder,
    ) -> None:
        writer = self._writer(str(target))
        at = trial.ended_at or trial.created_at
        report = folder.attempt(trial.number, trial.attempt).metrics
        for point in read_checkpoints(report, [m.name for m in experiment.spec.metrics]):
            for name, value in point.values.items():
                writer.add_scalar(name, value, int(point.step), at)
        values = {f"final/{name}": value for name, value in (trial.values or {}).items()}
        writer.add_hparams(dict(trial.assignments), values, run_name=".")
        writer.close()
