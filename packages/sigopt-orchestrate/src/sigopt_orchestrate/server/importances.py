"""How much of a metric each parameter explains; see `optimizer.sensitivity`."""

import json
import logging
from collections.abc import Sequence
from typing import Any, Protocol

from sqlalchemy import Connection, select

from sigopt_orchestrate.errors import SuggestionError
from sigopt_orchestrate.server.access import Experiment
from sigopt_orchestrate.store.resources import observations

_NEWEST = 5000
_LEAST = 5
_log = logging.getLogger(__name__)


class Named(Protocol):
    """A parameter, of whichever kind of experiment."""

    @property
    def name(self) -> str: ...  # noqa: D102


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
    """Returns the share of each parameter in what moves `values`; none for fewer than five.

    None, too, where the numerics fail, which the log says.

    Args:
        parameters: An experiment's.
        points: Assignments, one for each value.
        values: Of one metric; None where there is none.
    """
    known = [(p, v) for p, v in zip(points, values, strict=True) if v is not None]
    if len(known) < _LEAST:
        return {}
    names = [parameter.name for parameter in parameters]
    observed = [value for _, value in known]
    if len(set(observed)) == 1:
        return dict.fromkeys(names, 1 / len(names))
    # Here, since a server that is asked for no importances needs no numerics.
    from sigopt_orchestrate.optimizer.sensitivity import total_effects  # noqa: PLC0415

    columns = [[point.get(name) for point, _ in known] for name in names]
    try:
        return dict(zip(names, total_effects(columns, observed), strict=True))
    except SuggestionError as error:
        _log.warning("no importances: %s", error)
        return {}
