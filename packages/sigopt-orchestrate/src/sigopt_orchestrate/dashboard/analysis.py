"""What an experiment's trials say: the best ones, how the best came about, what failed.

Pure and light, so that the command line may use it as well as the pages.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence

from sigopt_orchestrate.lifecycle import REPEAT, TrialState
from sigopt_orchestrate.spec import Experiment, Metric
from sigopt_orchestrate.spec.consistency import TASK
from sigopt_orchestrate.store.records import ExperimentRecord, TrialRecord


def objective_value(metric: Metric, trial: TrialRecord) -> float | None:
    """Returns what `trial` has for `metric`; None unless it is completed and the value finite."""
    if trial.state is not TrialState.COMPLETED or trial.values is None:
        return None
    value = trial.values.get(metric.name)
    return value if value is not None and math.isfinite(value) else None


def comparable(spec: Experiment, trials: Iterable[TrialRecord]) -> list[TrialRecord]:
    """Returns the trials that have a value for every objective, in their order."""
    if not spec.objectives:
        return []
    return [t for t in trials if None not in [objective_value(m, t) for m in spec.objectives]]


def eligible(spec: Experiment, trial: TrialRecord) -> bool:
    """Returns whether a trial can be the best: run in full, its constraints reached, no repeat."""
    full = next((task.name for task in spec.tasks if task.cost == 1), None)
    values = trial.values or {}
    reached = (
        m.name in values and m.reached(values[m.name])
        for m in spec.metrics
        if m.threshold is not None
    )
    in_full = trial.assignments.get(TASK) == full
    return in_full and all(reached) and not trial.source.startswith(REPEAT)


def best_trials(spec: Experiment, trials: Iterable[TrialRecord]) -> list[TrialRecord]:
    """Returns the trials that no other one beats.

    Args:
        spec: Says which metrics are objectives, and which way is better.
        trials: In any state; only completed ones count. Of trials with equal objectives the first
            stands for all.

    Returns:
        With one objective the best trial alone; with two the Pareto front, the best by the first
        objective first; nothing if no trial is completed.
    """
    # Best first by the first objective, so a trial is on the front if it beats every one before it
    # by the last objective. With one objective that objective is both: only the best remains.
    if not spec.objectives:  # a single run
        return []
    last = spec.objectives[-1]
    front: list[TrialRecord] = []
    able = [trial for trial in comparable(spec, trials) if eligible(spec, trial)]
    for trial in sorted(able, key=lambda t: _costs(spec, t)):
        if not front or _cost(last, trial) < _cost(last, front[-1]):
            front.append(trial)
    return front


def best_so_far(
    spec: Experiment, metric: Metric, trials: Iterable[TrialRecord]
) -> list[float | None]:
    """Returns for each trial the best value of `metric` up to it, None before the first value."""
    best: float | None = None
    series = []
    for trial in trials:
        value = objective_value(metric, trial) if eligible(spec, trial) else None
        if value is not None and (best is None or metric.sign * (value - best) > 0):
            best = value
        series.append(best)
    return series


def default_trial(trials: Iterable[TrialRecord]) -> TrialRecord | None:
    """Returns the trial that ran the parameters' defaults, if there is one."""
    return next((trial for trial in trials if trial.source == "default"), None)


def gain(metric: Metric, trial: TrialRecord, reference: TrialRecord) -> float | None:
    """Returns by how much `trial` is better than `reference`; below 0 where it is worse.

    None if one of them has no value.
    """
    value, other = objective_value(metric, trial), objective_value(metric, reference)
    return None if value is None or other is None else metric.sign * (value - other)


def failure_reasons(trials: Iterable[TrialRecord]) -> list[tuple[str, int]]:
    """Returns why trials failed and how many for each reason, the most frequent first."""
    failed = (trial for trial in trials if trial.state is TrialState.FAILED)
    return Counter(trial.reason or "no reason given" for trial in failed).most_common()


def wall_time_s(experiment: ExperimentRecord, trials: Sequence[TrialRecord]) -> float:
    """Returns how long `experiment` took, or has been at work up to its last sign of life."""
    signs = (t for trial in trials for t in (trial.started_at, trial.ended_at) if t is not None)
    end = experiment.ended_at or max(signs, default=experiment.created_at)
    return max(0.0, end - experiment.created_at)


def _costs(spec: Experiment, trial: TrialRecord) -> list[float]:
    return [_cost(metric, trial) for metric in spec.objectives]


def _cost(metric: Metric, trial: TrialRecord) -> float:
    value = objective_value(metric, trial)
    return math.inf if value is None else -metric.sign * value
