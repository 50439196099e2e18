"""Suggestions, queued suggestions and observations."""

import json
from typing import Any

from sigopt_orchestrate.server.access import Experiment
from sigopt_orchestrate.server.json_bodies import Json
from sigopt_orchestrate.server.wire.definition import Definition, Task


def task_object(task: Task) -> Json:
    """Returns a task."""
    return {"object": "task", "name": task.name, "cost": task.cost}


def suggestion_object(row: Any, experiment: Experiment) -> Json:
    """Returns a suggestion of `experiment`."""
    return {
        "object": "suggestion",
        "id": str(row.id),
        "experiment": str(row.experiment_id),
        "assignments": json.loads(row.assignments),
        "state": "open" if row.open else "closed",
        "created": row.created,
        "deleted": row.deleted,
        "metadata": json.loads(row.metadata) if row.metadata else None,
        **_task_of(experiment.definition, row.task),
    }


def queued_suggestion_object(row: Any, experiment: Experiment) -> Json:
    """Returns a queued suggestion of `experiment`."""
    return {
        "object": "queued_suggestion",
        "id": str(row.id),
        "experiment": str(row.experiment_id),
        "assignments": json.loads(row.assignments),
        "created": row.created,
        **_task_of(experiment.definition, row.task),
    }


def observation_object(row: Any, experiment: Experiment) -> Json:
    """Returns an observation of `experiment`, with `value` for scripts that know no `values`."""
    values = evaluation_objects(row.values)
    return {
        "object": "observation",
        "id": str(row.id),
        "experiment": str(row.experiment_id),
        "suggestion": None if row.suggestion_id is None else str(row.suggestion_id),
        "assignments": json.loads(row.assignments),
        "values": values,
        **single_value(experiment.definition, values),
        "failed": row.failed,
        "created": row.created,
        "metadata": json.loads(row.metadata) if row.metadata else None,
        **_task_of(experiment.definition, row.task),
    }


def evaluation_objects(values: str) -> list[Json]:
    """Returns stored values as metric evaluations."""
    return [{"object": "metric_evaluation", **value} for value in json.loads(values)]


def single_value(definition: Definition, values: list[Json]) -> Json:
    """Returns the keys that only experiments with one metric have."""
    if len(definition.metrics) > 1 or not values:
        return {"value": None, "value_stddev": None}
    return {"value": values[0]["value"], "value_stddev": values[0]["value_stddev"]}


def _task_of(definition: Definition, name: str | None) -> Json:
    if not definition.tasks:
        return {}
    found = next((task for task in definition.tasks if task.name == name), None)
    return {"task": None if found is None else task_object(found)}
