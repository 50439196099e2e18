"""Whether a trial is worth going on, from its learning curve and those of the others.

Pure functions of tables, for the server's answers to checkpoints and for whoever runs trials.
"""

import statistics
from collections.abc import Mapping, Sequence

from sigopt_orchestrate.spec import EarlyStopping, Experiment

Curve = Sequence[tuple[float, float]]
"""Steps, ascending, each with the metric there."""

_LEAST_OTHERS = 3


def may_stop(rule: EarlyStopping, sign: float, curve: Curve, others: Sequence[Curve]) -> bool:
    """Returns whether the trial with `curve`, whose last entry is its newest, may stop.

    Args:
        rule: Which criterion to apply.
        sign: 1 where more of the metric is better, -1 where less is.
        curve: Of the trial.
        others: Of the experiment's other trials, those that have ended included.
    """
    mine = [(step, sign * value) for step, value in curve]
    theirs = [[(step, sign * value) for step, value in other] for other in others]
    if not mine or mine[-1][0] < rule.min:
        return False
    if rule.type == "asha":
        return _asha(mine, theirs, first=rule.min, reduction=rule.reduction)
    if rule.type == "median":
        return _median(mine, theirs)
    return _lookback(mine, rule.lookback)


def trial_may_stop(
    experiment: Experiment,
    curve: Sequence[tuple[float, Mapping[str, float]]],
    others: Sequence[Sequence[tuple[float, Mapping[str, float]]]],
) -> bool:
    """Returns whether a trial of `experiment` may stop by the experiment's early stopping.

    Args:
        experiment: Without early stopping, no trial may.
        curve: The trial's steps, ascending, each with the metrics that were reported there.
        others: Those of the other trials.
    """
    rule = experiment.early_stopping
    if rule is None:
        return False
    sign = next(metric.sign for metric in experiment.metrics if metric.name == rule.metric)

    def of_metric(steps: Sequence[tuple[float, Mapping[str, float]]]) -> Curve:
        return [(step, values[rule.metric]) for step, values in steps if rule.metric in values]

    return may_stop(rule, sign, of_metric(curve), [of_metric(other) for other in others])


def _asha(mine: Curve, theirs: Sequence[Curve], *, first: float, reduction: float) -> bool:
    """Asynchronous successive halving, stopping variant (Li et al., 2020).

    A trial that reaches a rung, `first * reduction^k` steps, goes on if it is among the best
    1 / reduction of those that have reached it. Each rung judges a trial once.
    """
    rung = first
    while rung * reduction <= mine[-1][0]:
        rung *= reduction
    if len(mine) > 1 and mine[-2][0] >= rung:
        return False
    at_rung = [value for other in theirs for value in _first_from(other, rung)]
    if len(at_rung) + 1 < reduction:
        return False
    better = sum(value > mine[-1][1] for value in at_rung)
    return better >= max(1, int((len(at_rung) + 1) / reduction))


def _first_from(curve: Curve, step: float) -> list[float]:
    """The value at the first step that is not before `step`, if there is one."""
    return [value for at, value in curve if at >= step][:1]


def _median(mine: Curve, theirs: Sequence[Curve]) -> bool:
    """The median rule (Golovin et al., 2017).

    A trial stops whose best value so far is below the median of the others' means up to its step.
    """
    step = mine[-1][0]
    reached = [other for other in theirs if other and other[-1][0] >= step]
    means = [statistics.fmean(v for at, v in other if at <= step) for other in reached]
    if len(means) < _LEAST_OTHERS:
        return False
    return max(value for _, value in mine) < statistics.median(means)


def _lookback(mine: Curve, count: int) -> bool:
    """Whether none of the last `count` checkpoints beats all before them."""
    values = [value for _, value in mine]
    return len(values) > count and max(values[-count:]) <= max(values[:-count])
