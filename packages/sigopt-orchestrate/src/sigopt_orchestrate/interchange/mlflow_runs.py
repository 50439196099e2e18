"""An experiment's trials as runs of MLflow, afterwards or while they end."""

from collections.abc import Sequence
from typing import Any

from sigopt_orchestrate.errors import MissingDependencyError
from sigopt_orchestrate.lifecycle import TrialState
from sigopt_orchestrate.store import (
    ExperimentFolder,
    ExperimentRecord,
    TrialRecord,
    read_checkpoints,
)


class MlflowLogger:
    """Logs observed trials as runs of one MLflow experiment, each once.

    Args:
        tracking_uri: MLflow's, for example `sqlite:///mlflow.db` or `http://host:5000`.

    Raises:
        MissingDependencyError: If MLflow is not installed.
    """

    def __init__(self, tracking_uri: str) -> None:
        try:
            from mlflow.tracking import MlflowClient  # noqa: PLC0415 - an extra, seconds of imports
        except ImportError:
            raise MissingDependencyError("logging to MLflow", "mlflow", "mlflow") from None
        self._client = MlflowClient(tracking_uri=tracking_uri)
        self._experiments: dict[str, str] = {}
        self._logged: dict[int, set[int]] = {}

    def log_all(
        self,
        experiment: ExperimentRecord,
        trials: Sequence[TrialRecord],
        folder: ExperimentFolder,
    ) -> None:
        """Logs the trials that are observed and not logged yet, also by an earlier process.

        Args:
            experiment: Whose trials; it gives the MLflow experiment its name.
            trials: In any state.
            folder: Where the trials' files lie, and so their learning curves.
        """
        target = self._experiment(experiment)
        logged = self._logged.setdefault(experiment.id, self._known(target))
        for trial in trials:
            if trial.state.observed and trial.number not in logged:
                self._log(target, experiment, trial, folder)
                logged.add(trial.number)

    def _experiment(self, experiment: ExperimentRecord) -> str:
        name = f"{experiment.spec.name} ({experiment.id})"
        if name not in self._experiments:
            found = self._client.get_experiment_by_name(name)
            self._experiments[name] = (
                self._client.create_experiment(name) if found is None else found.experiment_id
            )
        return self._experiments[name]

    def _known(self, target: str) -> set[int]:
        runs: list[Any] = []
        token = None
        while True:
            page = self._client.search_runs([target], max_results=1000, page_token=token)
            runs += page
            token = page.token
            if not token:
                return {int(r.data.tags[_NUMBER]) for r in runs if _NUMBER in r.data.tags}

    def _log(
        self,
        target: str,
        experiment: ExperimentRecord,
        trial: TrialRecord,
        folder: ExperimentFolder,
    ) -> None:
        started = None if trial.started_at is None else int(trial.started_at * 1000)
        tags = {_NUMBER: str(trial.number), "orchestrate.source": trial.source}
        run = self._client.create_run(
            target, start_time=started, tags=tags, run_name=f"trial {trial.number}"
        )
        run_id = run.info.run_id
        for name, value in trial.assignments.items():
            self._client.log_param(run_id, name, value)
        at = int((trial.ended_at or trial.created_at) * 1000)
        report = folder.attempt(trial.number, trial.attempt).metrics
        for point in read_checkpoints(report, [m.name for m in experiment.spec.metrics]):
            for name, value in point.values.items():
                self._client.log_metric(run_id, name, value, at, int(point.step))
        for name, value in (trial.values or {}).items():
            self._client.log_metric(run_id, f"final/{name}", value, at)
        status = "FINISHED" if trial.state is TrialState.COMPLETED else "FAILED"
        self._client.set_terminated(run_id, status, at)


_NUMBER = "orchestrate.trial"
