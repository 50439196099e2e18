"""What the optimiser is told: an experiment with what was observed and what is still open."""

import json
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, func, select

from sigopt_orchestrate.server.access import find_experiment
from sigopt_orchestrate.server.wire.definition import Definition
from sigopt_orchestrate.store.resources import observations, suggestions

MAX_HISTORY = 4000
"""Of more observations than this the optimiser is told the best and the newest."""
_MAX_PENDING = 100


@dataclass(frozen=True, slots=True)
class Trial:
    """An observation, or with no `values` yet a suggestion that is open.

    Attributes:
        values: By metric; None for a failed observation.
        deviations: The standard deviations that were reported with them.
    """

    assignments: dict[str, Any]
    task: str | None
    values: dict[str, float] | None
    deviations: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Question:
    """What to suggest for.

    Attributes:
        suggested: How many observations and open suggestions there are, those left out included.
        task: The task to choose for, where the caller named one.
    """

    experiment_id: int
    definition: Definition
    history: list[Trial]
    pending: list[Trial]
    suggested: int
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
    found = list(tx.execute(newest.limit(MAX_HISTORY)))
    if count > MAX_HISTORY:
        top = tx.execute(best.limit(MAX_HISTORY // 2)).all()
        latest = found[: MAX_HISTORY - len(top)]
        found = list({row.id: row for row in (*top, *latest)}.values())
    # In the order in which they came, the optimiser's process has most of them already.
    found.sort(key=lambda row: row.id)
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
    return Question(
        experiment_id=experiment_id,
        definition=experiment.definition,
        history=[_trial(row) for row in found],
        pending=[Trial(json.loads(row.assignments), row.task, None) for row in opened],
        suggested=count + len(opened),
        task=task,
    )


def _trial(row: Any) -> Trial:
    assignments = json.loads(row.assignments)
    if row.failed:
        return Trial(assignments, row.task, None)
    reported = json.loads(row.values)
    values = {value["name"]: value["value"] for value in reported}
    deviations = {v["name"]: v["value_stddev"] for v in reported if v.get("value_stddev")}
    return Trial(assignments, row.task, values, deviations)
