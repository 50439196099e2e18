"""How much of a metric's spread each parameter explains.

The first-order variance share: the variance of the metric's mean over bins of the parameter, less
what chance alone would give, over the metric's variance. Scaled so that the shares sum to 1.
"""

import json
import statistics
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Protocol

from sqlalchemy import Connection, select

from sigopt_orchestrate.server.access import Experiment
from sigopt_orchestrate.store.resources import observations

_NEWEST = 5000
_LEAST = 5


class Named(Protocol):
    """A parameter, of whichever kind of experiment."""

    @property
    def name(self) -> str: ...  # noqa: D102

    @property
    def type(self) -> str: ...  # noqa: D102


def importances(tx: Connection, experiment: Experiment) -> dict[str | None, dict[str, float]]:
    """Returns for each metric that is not just stored the share of each parameter.

    A metric with fewer than five values has no shares yet.
    """
    mine = (observations.c.experiment_id == experiment.id) & observations.c.deleted.is_(False)
    query = select(observations.c.assignments, observations.c["values"]).where(
        mine, observations.c.failed.is_(False)
    )
    rows = tx.execute(query.order_by(observations.c.id.desc()).limit(_NEWEST)).all()
    points = [json.loads(row.assignments) for row in rows]
    values = [{v["name"]: v["value"] for v in json.loads(row[1])} for row in rows]
    definition = experiment.definition
    return {
        metric.name: shares(definition.parameters, points, [v.get(metric.name) for v in values])
        for metric in definition.metrics
        if metric.optimized or metric.constrained
    }


def shares(
    parameters: Sequence[Named],
    points: Sequence[dict[str, Any]],
    values: Sequence[float | None],
) -> dict[str, float]:
    """Returns the share of each parameter in the spread of `values`; none for fewer than five.

    Args:
        parameters: An experiment's.
        points: Assignments, one for each value.
        values: Of one metric; None where there is none.
    """
    known = [(p, v) for p, v in zip(points, values, strict=True) if v is not None]
    if len(known) < _LEAST:
        return {}
    spread = statistics.pvariance([value for _, value in known])
    raw = {p.name: _explained(p, known) / spread if spread else 0.0 for p in parameters}
    total = sum(raw.values())
    return {name: share / total if total else 1 / len(raw) for name, share in raw.items()}


def _explained(parameter: Named, known: Sequence[tuple[dict[str, Any], float]]) -> float:
    bins: defaultdict[Any, list[float]] = defaultdict(list)
    present = [point[parameter.name] for point, _ in known if parameter.name in point]
    places = {value: place for place, value in enumerate(sorted(set(present), key=_rank))}
    count = max(2, min(8, len(known) // 4))
    for point, value in known:
        given = point.get(parameter.name)
        if given is None or parameter.type == "categorical" or len(places) <= count:
            bins[given].append(value)
        else:
            bins[places[given] * count // len(places)].append(value)
    mean = statistics.fmean(value for _, value in known)
    between = sum(len(b) * (statistics.fmean(b) - mean) ** 2 for b in bins.values())
    within = sum(len(b) * statistics.pvariance(b) for b in bins.values())
    free = len(known) - len(bins)
    chance = (len(bins) - 1) * within / free if free > 0 else between
    return max(0.0, between - chance) / len(known)


def _rank(value: Any) -> tuple[bool, Any]:
    return isinstance(value, str), value
