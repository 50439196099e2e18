"""What the optimiser is told: an experiment with what was observed and what is still open."""

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select

from sigopt_orchestrate.server.access import find_experiment
from sigopt_orchestrate.server.wire.definition import Definition
from sigopt_orchestrate.store.resources import observations, suggestions

MAX_HISTORY = 300
"""More observations than this cost the model more than they teach it: the best and the newest."""
_MAX_PENDING = 100


@dataclass(frozen=True, slots=True)
class Trial:
    """An observation, or with no `values` yet a suggestion that is open.

    Attributes:
        values: By metric; None for a failed observation.
    """

    assignments: dict[str, Any]
    task: str | None
    values: dict[str, float] | None


@dataclass(frozen=True, slots=True)
class Question:
    """What to suggest for.

    Attributes:
        suggested: How many observations and open suggestions there are, those left out included.
        spent: What each task has used of the budget, open suggestions included.
        task: The task to choose for, where the caller named one.
    """

    experiment_id: int
    definition: Definition
    history: list[Trial]
    pending: list[Trial]
    suggested: int
    spent: dict[str, float]
    task: str | None


def ask(tx: Connection, experiment_id: int, task: str | None) -> Question:
    """Returns the question that the store's present state makes."""
    experiment = find_experiment(tx, experiment_id)
    mine = (observations.c.experiment_id == experiment_id) & observations.c.deleted.is_(False)
    columns = (
        observations.c.id,
        observations.c.assignments,
        observations.c["values"],
        observations.c.failed,
        observations.c.task,
    )
    count = tx.execute(select(func.count()).select_from(observations).where(mine)).scalar_one()
    newest = select(*columns).where(mine).order_by(observations.c.id.desc())
    best = select(*columns).where(mine, observations.c.merit.is_not(None))
    best = best.order_by(observations.c.merit.desc())
    found = tx.execute(newest.limit(MAX_HISTORY)).all()
    if count > MAX_HISTORY:
        top = tx.execute(best.limit(MAX_HISTORY // 2)).all()
        latest = found[: MAX_HISTORY - len(top)]
        found = list({row.id: row for row in (*top, *latest)}.values())
    waiting = (
        (suggestions.c.experiment_id == experiment_id)
        & suggestions.c.deleted.is_(False)
        & suggestions.c.open.is_(True)
    )
    opened = tx.execute(
        select(suggestions.c.assignments, suggestions.c.task)
        .where(waiting)
        .order_by(suggestions.c.id.desc())
        .limit(_MAX_PENDING)
    ).all()
    costs = {task.name: task.cost for task in experiment.definition.tasks}
    spent = _spent(tx, experiment_id, costs, [row.task for row in opened])
    return Question(
        experiment_id=experiment_id,
        definition=experiment.definition,
        history=[
            Trial(json.loads(row.assignments), row.task, None if row.failed else _values(row))
            for row in found
        ],
        pending=[Trial(json.loads(row.assignments), row.task, None) for row in opened],
        suggested=count + len(opened),
        spent=spent,
        task=task,
    )


def _values(row: Any) -> dict[str, float]:
    return {value["name"]: value["value"] for value in json.loads(row.values)}


def _spent(
    tx: Connection, experiment_id: int, costs: dict[str, float], opened: list[str]
) -> dict[str, float]:
    if not costs:
        return {}
    mine = (observations.c.experiment_id == experiment_id) & observations.c.deleted.is_(False)
    counted = select(observations.c.task, func.count()).where(mine).group_by(observations.c.task)
    counts: dict[str, int] = {row[0]: row[1] for row in tx.execute(counted)}
    return {name: cost * (counts.get(name, 0) + opened.count(name)) for name, cost in costs.items()}
