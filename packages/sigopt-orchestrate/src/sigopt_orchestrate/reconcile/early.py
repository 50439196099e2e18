"""Tells running trials that are not worth going on that they may stop."""

from collections.abc import Collection

from sigopt_orchestrate.lifecycle import TrialState
from sigopt_orchestrate.optimizer.early_stopping import trial_may_stop
from sigopt_orchestrate.spec import Experiment
from sigopt_orchestrate.store import (
    Checkpoint,
    ExperimentFolder,
    TrialRecord,
    read_checkpoints,
)

Steps = list[tuple[float, dict[str, float]]]


class EarlyEnds:
    """Reads the trials' checkpoints, and leaves a word where one may stop.

    The decision is `trial_may_stop`'s, of the curves as they are; the trial learns of it from its
    next checkpoint. Nothing is remembered that could not be read again, so a leader that follows
    a crash decides alike.
    """

    def __init__(self, spec: Experiment, folder: ExperimentFolder) -> None:
        self._metrics = [metric.name for metric in spec.metrics]
        self._spec = spec
        self._folder = folder
        self._ended: dict[int, Steps] = {}  # curves that no longer grow
        self._judged: dict[int, int] = {}  # how many checkpoints had been there

    def look(self, trials: Collection[TrialRecord]) -> None:
        """Judges every running trial that has a new checkpoint."""
        if self._spec.early_stopping is None:
            return
        curves = {trial.id: self._curve(trial) for trial in trials if trial.attempt}
        for trial in trials:
            curve = curves.get(trial.id, [])
            if trial.state is not TrialState.RUNNING or len(curve) == self._judged.get(trial.id, 0):
                continue
            others = [other for key, other in curves.items() if key != trial.id and other]
            for count in range(self._judged.get(trial.id, 0) + 1, len(curve) + 1):
                if trial_may_stop(self._spec, curve[:count], others):
                    self._folder.attempt(trial.number, trial.attempt).stop.touch()
                    break
            self._judged[trial.id] = len(curve)

    def _curve(self, trial: TrialRecord) -> Steps:
        if trial.id in self._ended:
            return self._ended[trial.id]
        report = self._folder.attempt(trial.number, trial.attempt).metrics
        curve = [_step(point) for point in read_checkpoints(report, self._metrics)]
        if trial.state.observed:
            self._ended[trial.id] = curve
        return curve


def _step(point: Checkpoint) -> tuple[float, dict[str, float]]:
    return point.step, dict(point.values)
