"""What a trial executes: its command and its environment."""

import json

from sigopt_orchestrate import worker
from sigopt_orchestrate.executors import Work
from sigopt_orchestrate.spec import argv, fill
from sigopt_orchestrate.store import AttemptFolder, ExperimentRecord, TrialRecord


def work_of(experiment: ExperimentRecord, trial: TrialRecord, folder: AttemptFolder) -> Work:
    """Returns what to execute for the trial's current attempt, whose files lie in `folder`."""
    spec = experiment.spec
    given = {name: fill(str(value), trial.assignments) for name, value in spec.env.items()}
    memory = spec.memory(trial.ooms)
    assert spec.command is not None  # noqa: S101 - an experiment without one is never run
    return Work(
        argv=argv(spec.command, trial.assignments),
        env={
            **given,
            worker.EXPERIMENT: str(experiment.id),
            worker.TRIAL: str(trial.number),
            worker.PARAMETERS: json.dumps(trial.assignments),
            worker.METRICS: str(folder.metrics),
            worker.METRIC_NAMES: json.dumps([metric.name for metric in spec.metrics]),
            worker.STOP: str(folder.stop),
            worker.OUTPUT: str(folder.output),
            worker.CHECKPOINT: str(folder.checkpoint),
            **({} if memory is None else {worker.MEMORY: str(memory)}),
        },
        directory=experiment.directory,
        timeouts=spec.timeouts,
        memory=memory,
        secrets=spec.secrets,
    )
