"""The best observations of an experiment: one, several that differ, or a Pareto front."""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, select

from sigopt_orchestrate.server.access import Experiment
from sigopt_orchestrate.server.merit import admissible
from sigopt_orchestrate.server.wire.definition import Definition
from sigopt_orchestrate.server.wire.parameters import Parameter
from sigopt_orchestrate.store.resources import observations

_CANDIDATES = 2000  # for several solutions, the best of them are looked at


def best_observations(tx: Connection, experiment: Experiment) -> list[Row[Any]]:
    """Returns the best observations, the very best first.

    With one optimised metric the best alone, or as many that differ as there are solutions wanted;
    with two the Pareto front. Failed ones and those beyond a threshold never count.
    """
    mine = (observations.c.experiment_id == experiment.id) & observations.c.deleted.is_(False)
    definition = experiment.definition
    if len(definition.optimized) == 2:
        rows = tx.execute(select(observations).where(mine, observations.c.failed.is_(False))).all()
        return _front(definition, rows)
    ranked = select(observations).where(mine, observations.c.merit.is_not(None))
    ranked = ranked.order_by(observations.c.merit.desc(), observations.c.id)
    if definition.solutions == 1:
        return list(tx.execute(ranked.limit(1)))
    return _apart(definition, tx.execute(ranked.limit(_CANDIDATES)).all())


def _front(definition: Definition, rows: Sequence[Row[Any]]) -> list[Row[Any]]:
    first, second = definition.optimized
    points = []
    for row in rows:
        numbers = {value["name"]: value["value"] for value in json.loads(row.values)}
        if admissible(definition, numbers):
            x, y = first.sign * numbers[first.name], second.sign * numbers[second.name]
            points.append((-x, -y, row.id, row))
    front: list[Row[Any]] = []
    lowest = float("inf")
    for _, y, _, row in sorted(points, key=lambda point: point[:3]):
        if y < lowest:  # better by the second metric than all that are better by the first
            front.append(row)
            lowest = y
    return front


def _apart(definition: Definition, rows: Sequence[Row[Any]]) -> list[Row[Any]]:
    """The best, then always the best that keeps a distance to those chosen; it shrinks as needed.

    The distance is the largest difference of one parameter, as a share of its bounds.
    """
    wanted = min(definition.solutions, len(rows))
    places = [_place(definition, json.loads(row.assignments)) for row in rows]
    distance = 0.5
    while True:
        chosen: list[int] = []
        for index, place in enumerate(places):
            if all(_distance(place, places[other]) >= distance for other in chosen):
                chosen.append(index)
            if len(chosen) == wanted:
                return [rows[index] for index in chosen]
        if distance == 0:
            return [rows[index] for index in chosen]
        distance = distance / 2 if distance > 1e-3 else 0


def _place(definition: Definition, assignments: dict[str, Any]) -> list[float | str]:
    return [_coordinate(p, assignments.get(p.name)) for p in definition.parameters]


def _coordinate(parameter: Parameter, value: Any) -> float | str:
    if parameter.type == "categorical" or value is None:
        return str(value)
    span = parameter.high - parameter.low
    return (value - parameter.low) / span if span else 0.0


def _distance(one: Sequence[float | str], other: Sequence[float | str]) -> float:
    return max(
        (
            abs(a - b) if isinstance(a, float) and isinstance(b, float) else float(a != b)
            for a, b in zip(one, other, strict=True)
        ),
        default=0.0,
    )
