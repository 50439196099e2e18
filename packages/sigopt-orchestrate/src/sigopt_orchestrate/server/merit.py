"""What ranks an observation, and how reported values become stored ones."""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, select, update

from sigopt_orchestrate.server.access import Experiment
from sigopt_orchestrate.server.errors import InvalidError
from sigopt_orchestrate.server.wire.definition import Definition
from sigopt_orchestrate.server.wire.observations import Evaluation
from sigopt_orchestrate.store.resources import observations


def stored_values(definition: Definition, given: Sequence[Evaluation] | None) -> list[Any]:
    """Returns values in the metrics' order, as the store keeps them.

    Args:
        definition: Has the metrics.
        given: What was reported; None for a failed observation, which has no values.

    Raises:
        InvalidError: If a value is of no metric, or one that is not just stored has no value.
    """
    by_name = {value.name: value for value in given or ()}
    if given is not None:
        _check(definition, given, by_name)
    kept = []
    for metric in definition.metrics:
        value = by_name.get(metric.name)
        kept.append(
            {
                "name": metric.name,
                "value": None if value is None else value.value,
                "value_stddev": None if value is None else value.value_stddev,
            }
        )
    return kept


def merit(definition: Definition, values: Sequence[Any], task: str | None) -> float | None:
    """Returns what ranks an observation where one metric is optimised: more is better.

    Returns:
        None where it has no rank: two metrics are optimised, it failed, it was of a cheap task, or
        a constraint metric misses its threshold.
    """
    if len(definition.optimized) != 1 or (definition.tasks and task != definition.full_task):
        return None
    numbers = {value["name"]: value["value"] for value in values}
    if not admissible(definition, numbers):
        return None
    metric = definition.optimized[0]
    value = numbers.get(metric.name)
    return None if value is None else metric.sign * value


def admissible(definition: Definition, numbers: dict[str | None, float | None]) -> bool:
    """Returns whether every metric with a threshold reaches it."""
    for metric in definition.metrics:
        if metric.threshold is not None:
            value = numbers.get(metric.name)
            if value is None or not metric.reached(value):
                return False
    return True


def rank_again(tx: Connection, experiment: Experiment) -> None:
    """Computes the merit of all observations anew: a threshold has changed."""
    mine = observations.c.experiment_id == experiment.id
    columns = (observations.c.id, observations.c["values"], observations.c.task)
    for row in tx.execute(select(*columns).where(mine)).all():
        ranked = merit(experiment.definition, json.loads(row.values), row.task)
        tx.execute(update(observations).where(observations.c.id == row.id).values(merit=ranked))


def _check(
    definition: Definition, given: Sequence[Evaluation], by_name: dict[str | None, Evaluation]
) -> None:
    if len(by_name) < len(given):
        raise InvalidError("values: a metric is given more than once")
    known = {metric.name: metric for metric in definition.metrics}
    for name in by_name:
        if name not in known and not (name is None and len(known) == 1):
            raise InvalidError(f"values: {name!r} is not a metric of the experiment")
    if None in by_name and len(known) == 1:  # the only metric needs no name
        by_name[definition.metrics[0].name] = by_name.pop(None)
    for metric in definition.metrics:
        if metric.name not in by_name and (metric.optimized or metric.constrained):
            raise InvalidError(f"values: the metric {metric.name!r} is missing")
