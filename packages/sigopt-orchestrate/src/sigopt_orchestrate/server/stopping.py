"""Whether to go on: with a run, by its checkpoints; with an experiment, by its observations."""

from collections.abc import Sequence

from sigopt_orchestrate.server.wire.definition import Definition, EarlyStoppingCriterion


def checkpoint_stops(
    definition: Definition | None, history: Sequence[dict[str, float]]
) -> dict[str, bool]:
    """Returns for each early stopping criterion whether it says that the run may stop.

    A criterion does once `min_checkpoints` are there and none of the last `lookback_checkpoints`
    has a better value of its metric than all before them.

    Args:
        definition: Of the run's experiment, if it is of one.
        history: The values of the run's checkpoints by metric, the oldest first.
    """
    monitor = definition.training_monitor if definition else None
    if definition is None or monitor is None:
        return {}
    return {c.name: _converged(definition, c, history) for c in monitor.early_stopping_criteria}


def stagnates(merits: Sequence[float | None], dimension: int) -> bool:
    """Returns whether an experiment with one optimised metric has stopped getting better.

    It has if there are at least 5 d + 5 observations, and the best of the last 5 d does not beat
    the fifth best before them.

    Args:
        merits: What ranks each observation, the oldest first; None, the worst, for a failed one.
        dimension: How many parameters there are, d.
    """
    window = 5 * dimension
    if len(merits) < window + 5:
        return False
    worst = float("-inf")
    ranked = [worst if merit is None else merit for merit in merits]
    fifth = sorted(ranked[:-window], reverse=True)[4]
    return max(ranked[-window:]) <= fifth


def _converged(
    definition: Definition, criterion: EarlyStoppingCriterion, history: Sequence[dict[str, float]]
) -> bool:
    signs = {metric.name: metric.sign for metric in definition.metrics}
    sign = signs.get(criterion.metric, 1.0)
    values = [sign * c[criterion.metric] for c in history if criterion.metric in c]
    back = criterion.lookback_checkpoints
    if len(values) < max(criterion.min_checkpoints, back + 1):
        return False
    return max(values[-back:]) <= max(values[:-back])
