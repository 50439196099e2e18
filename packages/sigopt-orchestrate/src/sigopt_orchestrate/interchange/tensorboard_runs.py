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
            from tensorboardX import SummaryWriter  # noqa: PLC0415 - an extra
            from tensorboardX.summary import hparams  # noqa: PLC0415
        except ImportError:
            raise MissingDependencyError(
                "logging to TensorBoard", "tensorboardX", "tensorboard"
            ) from None
        self._writer, self._hparams = SummaryWriter, hparams
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
        # Not by `add_hparams`, which opens a second file of the same name in the same second.
        for summary in self._hparams(dict(trial.assignments), values):
            writer.file_writer.add_summary(summary)
        for name, value in values.items():
            writer.add_scalar(name, value, walltime=at)
        writer.close()
