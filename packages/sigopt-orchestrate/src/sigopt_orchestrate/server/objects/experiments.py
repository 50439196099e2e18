"""Experiments and AI experiments with their progress."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, func, select

from sigopt_orchestrate.server.access import Experiment
from sigopt_orchestrate.server.json_bodies import Json
from sigopt_orchestrate.server.objects.trials import observation_object, task_object
from sigopt_orchestrate.server.wire.definition import Definition, Metric
from sigopt_orchestrate.server.wire.parameters import Parameter
from sigopt_orchestrate.store.resources import observations, training_runs


def experiment_objects(tx: Connection, found: Sequence[Experiment]) -> list[Json]:
    """Returns experiments as the API answers with them, their progress included."""
    runs = _run_progress(tx, [e for e in found if e.runs_only])
    observed = _observation_progress(tx, [e for e in found if not e.runs_only])
    return [_experiment(e, (runs | observed)[e.id]) for e in found]


def experiment_object(tx: Connection, experiment: Experiment) -> Json:
    """Returns one experiment, see `experiment_objects`."""
    return experiment_objects(tx, [experiment])[0]


def budget_consumed(tx: Connection, experiment: Experiment) -> float:
    """Returns how much of the budget the observations have used, in full ones."""
    mine = (observations.c.experiment_id == experiment.id) & observations.c.deleted.is_(False)
    counted = select(observations.c.task, func.count()).where(mine).group_by(observations.c.task)
    costs = {task.name: task.cost for task in experiment.definition.tasks}
    return sum(costs.get(task, 1.0) * count for task, count in tx.execute(counted))


def number(value: float | None) -> float | None:
    """Returns a whole number as an int, so that it is written without a fraction."""
    return int(value) if value is not None and value == int(value) else value


def _experiment(experiment: Experiment, progress: Json) -> Json:
    definition = experiment.definition
    kind = "aiexperiment" if experiment.runs_only else "experiment"
    body: Json = {
        "object": kind,
        "id": str(experiment.id),
        "client": str(experiment.client_id),
        "user": None,
        "project": experiment.project,
        "name": experiment.name,
        "type": definition.type,
        "state": "deleted" if experiment.deleted else "active",
        "created": experiment.created,
        "updated": experiment.updated,
        "parallel_bandwidth": definition.parallel_bandwidth,
        "num_solutions": definition.num_solutions,
        "runs_only": experiment.runs_only,
        "parameters": [_parameter(p) for p in _named(definition.parameters)],
        "metrics": [_metric(m) for m in _named(definition.metrics)],
        "conditionals": [
            {"object": "conditional", "name": c.name, "values": c.values}
            for c in definition.conditionals
        ],
        "linear_constraints": _constraints(definition),
        "metadata": json.loads(experiment.metadata) if experiment.metadata else None,
        "progress": progress,
    }
    monitor = definition.training_monitor
    body["training_monitor"] = monitor and {"object": "training_monitor", **monitor.model_dump()}
    if experiment.runs_only:
        return {**body, "budget": number(definition.budget)}
    body |= {"observation_budget": number(definition.budget), "development": False}
    if definition.tasks:
        body["tasks"] = [
            task_object(task) for task in sorted(definition.tasks, key=lambda task: -task.cost)
        ]
    return body


def _named(things: Iterable[Any]) -> list[Any]:
    return sorted(things, key=lambda thing: thing.name or "")


def _parameter(parameter: Parameter) -> Json:
    bounds, values, prior = parameter.bounds, parameter.categorical_values, parameter.prior
    body: Json = {
        "object": "parameter",
        "name": parameter.name,
        "type": parameter.type,
        "bounds": bounds and {"object": "bounds", "min": bounds.min, "max": bounds.max},
        "categorical_values": values
        and [
            {"object": "categorical_value", "name": name, "enum_index": index}
            for index, name in enumerate(values, start=1)
        ],
        "default_value": parameter.default_value,
        "prior": prior and {"object": f"{prior.name}_prior", **prior.model_dump()},
        "conditions": parameter.conditions or {},
        "transformation": parameter.transformation,
        "precision": parameter.precision,
    }
    return body if parameter.grid is None else {**body, "grid": parameter.grid}


def _metric(metric: Metric) -> Json:
    return {
        "object": "metric",
        "name": metric.name,
        "objective": metric.objective or "maximize",
        "strategy": metric.strategy or "optimize",
        "threshold": metric.threshold,
    }


def _constraints(definition: Definition) -> list[Json]:
    return [
        {
            "object": "linear_constraint",
            "type": constraint.type,
            "threshold": constraint.threshold,
            "terms": [
                {"object": "constraint_term", "name": term.name, "weight": term.weight}
                for term in _named(constraint.terms)
            ],
        }
        for constraint in definition.linear_constraints
    ]


def _run_progress(tx: Connection, found: Sequence[Experiment]) -> dict[int, Json]:
    column = training_runs.c
    counted = (
        select(column.experiment_id, column.state, func.count())
        .where(column.experiment_id.in_([e.id for e in found]), column.deleted.is_(False))
        .group_by(column.experiment_id, column.state)
    )
    counts = {(run, state): n for run, state, n in tx.execute(counted)} if found else {}
    progress = {}
    for experiment in found:
        active = counts.get((experiment.id, "active"), 0)
        ended = sum(counts.get((experiment.id, state), 0) for state in ("completed", "failed"))
        budget = experiment.definition.budget
        progress[experiment.id] = {
            "object": "progress",
            "finished_run_count": ended,
            "active_run_count": active,
            "total_run_count": active + ended,
            "remaining_budget": None if budget is None else number(budget - active - ended),
        }
    return progress


def _observation_progress(tx: Connection, found: Sequence[Experiment]) -> dict[int, Json]:
    if not found:
        return {}
    column = observations.c
    mine = column.experiment_id.in_([e.id for e in found]) & column.deleted.is_(False)
    spans = {
        row.experiment_id: row
        for row in tx.execute(
            select(
                column.experiment_id,
                func.count().label("many"),
                func.min(column.id).label("first"),
                func.max(column.id).label("last"),
            )
            .where(mine)
            .group_by(column.experiment_id)
        )
    }
    best = {experiment_id: _best(tx, experiment_id) for experiment_id in spans}
    ids = {i for row in spans.values() for i in (row.first, row.last)} | set(best.values()) - {None}
    rows = {row.id: row for row in tx.execute(select(observations).where(column.id.in_(ids)))}
    progress = {}
    for experiment in found:
        span = spans.get(experiment.id)

        def shown(row_id: int | None, experiment: Experiment = experiment) -> Json | None:
            return None if row_id is None else observation_object(rows[row_id], experiment)

        progress[experiment.id] = {
            "object": "progress",
            "observation_count": span.many if span else 0,
            "observation_budget_consumed": number(
                budget_consumed(tx, experiment)
                if experiment.definition.tasks
                else float(span.many if span else 0)
            ),
            "first_observation": shown(span.first) if span else None,
            "last_observation": shown(span.last) if span else None,
            "best_observation": shown(best[experiment.id]) if span else None,
        }
    return progress


def _best(tx: Connection, experiment_id: int) -> int | None:
    column = observations.c
    return tx.execute(
        select(column.id)
        .where(
            column.experiment_id == experiment_id,
            column.deleted.is_(False),
            column.merit.is_not(None),
        )
        .order_by(column.merit.desc())
        .limit(1)
    ).scalar_one_or_none()
