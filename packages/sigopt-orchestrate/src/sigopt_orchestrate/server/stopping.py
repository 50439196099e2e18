"""Whether to go on: with a run, by its checkpoints; with an experiment, by its observations."""

from collections.abc import Mapping, Sequence

from sigopt_orchestrate.optimizer.early_stopping import Curve, may_stop
from sigopt_orchestrate.server.wire.definition import Definition, EarlyStoppingCriterion
from sigopt_orchestrate.spec import EarlyStopping

History = Sequence[Mapping[str, float]]


def checkpoint_stops(
    definition: Definition | None, history: History, others: Sequence[History]
) -> dict[str, bool]:
    """Returns for each early stopping criterion whether it says that the run may stop.

    Args:
        definition: Of the run's experiment, if it is of one.
        history: The values of the run's checkpoints by metric, the oldest first.
        others: Those of the experiment's other runs.
    """
    monitor = definition.training_monitor if definition else None
    if definition is None or monitor is None:
        return {}
    signs = {metric.name: metric.sign for metric in definition.metrics}
    stops = {}
    for criterion in monitor.early_stopping_criteria:
        curve, *rest = (_curve(h, criterion.metric) for h in (history, *others))
        stops[criterion.name] = may_stop(
            _rule(criterion), signs.get(criterion.metric, 1.0), curve, rest
        )
    return stops


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


def _rule(criterion: EarlyStoppingCriterion) -> EarlyStopping:
    return EarlyStopping(
        type="lookback" if criterion.type == "convergence" else criterion.type,
        metric=criterion.metric,
        min=criterion.min_checkpoints,
        reduction=criterion.reduction,
        lookback=criterion.lookback_checkpoints,
    )


def _curve(history: History, metric: str) -> Curve:
    """A checkpoint's step is its number among those that have the metric."""
    values = [checkpoint[metric] for checkpoint in history if metric in checkpoint]
    return list(enumerate(values, start=1))
