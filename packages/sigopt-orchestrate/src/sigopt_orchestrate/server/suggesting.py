"""Stores suggestions, those from the queue first."""

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from sigopt_orchestrate.server.access import Experiment, now
from sigopt_orchestrate.server.json_bodies import write
from sigopt_orchestrate.store.resources import queued_suggestions, suggestions


def take_queued(tx: Connection, experiment: Experiment) -> tuple[dict[str, Any], str | None] | None:
    """Takes the oldest queued suggestion out of the queue; nobody else gets it.

    Returns:
        Its assignments and task; None where the queue is empty.
    """
    column = queued_suggestions.c
    waiting = (
        select(column.id)
        .where(column.experiment_id == experiment.id, column.deleted.is_(False))
        .order_by(column.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    oldest = tx.execute(waiting).scalar_one_or_none()
    if oldest is None:
        return None
    taken = update(queued_suggestions).where(column.id == oldest).values(deleted=True)
    row = tx.execute(taken.returning(column.assignments, column.task)).one()
    return json.loads(row.assignments), row.task


def store_suggestion(
    tx: Connection,
    experiment: Experiment,
    assignments: Mapping[str, Any],
    *,
    task: str | None,
    source: str,
    metadata: str | None = None,
) -> Row[Any]:
    """Stores an open suggestion and returns its row."""
    made = insert(suggestions).values(
        experiment_id=experiment.id,
        assignments=write(assignments),
        task=task,
        metadata=metadata,
        source=source,
        open=True,
        created=now(),
    )
    return tx.execute(made.returning(*suggestions.c)).one()
