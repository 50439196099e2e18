"""Rows into records."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sigopt_orchestrate.errors import StoreError
from sigopt_orchestrate.lifecycle import ExperimentState, TrialState
from sigopt_orchestrate.spec import Experiment
from sigopt_orchestrate.store import statements as sql
from sigopt_orchestrate.store.connection import Connection
from sigopt_orchestrate.store.records import ExperimentRecord, TrialRecord


def read_experiment(connection: Connection, experiment_id: int) -> ExperimentRecord:
    """Returns one experiment.

    Raises:
        StoreError: If there is none with this id.
    """
    query = f"{sql.EXPERIMENTS} WHERE id = ?"
    row = connection.execute(query, (experiment_id,)).fetchone()
    if row is None:
        raise StoreError(f"there is no experiment {experiment_id}; `orchestrate list` names them")
    return _experiment(row)


def read_experiments(connection: Connection, limit: int | None = None) -> list[ExperimentRecord]:
    """Returns the newest experiments first, at most `limit` of them."""
    query = f"{sql.EXPERIMENTS} ORDER BY id DESC"
    rows = (
        connection.execute(query)
        if limit is None
        else connection.execute(f"{query} LIMIT ?", (limit,))
    )
    return [_experiment(row) for row in rows]


def read_trials(
    connection: Connection, experiment_id: int, *, since: int = 0
) -> Iterator[TrialRecord]:
    """Yields an experiment's trials by number; with `since`, those with an event after that one."""
    query, given = f"{sql.TRIALS} ORDER BY trials.number", [experiment_id]
    if since:
        query = f"{sql.TRIALS}{sql.MOVED_SINCE} ORDER BY trials.number"
        given.append(since)
    for row in connection.execute(query, given):
        yield _trial(row)


def _experiment(row: tuple[Any, ...]) -> ExperimentRecord:
    number, spec, directory, state, epoch, stop_requested, paused, reason, created_at, ended_at = (
        row
    )
    return ExperimentRecord(
        id=number,
        spec=Experiment.model_validate_json(spec),
        directory=Path(directory),
        state=ExperimentState(state),
        epoch=epoch,
        stop_requested=bool(stop_requested),
        paused=bool(paused),
        reason=reason,
        created_at=created_at,
        ended_at=ended_at,
    )


def _trial(row: tuple[Any, ...]) -> TrialRecord:
    (
        trial_id, number, assignments, source, state, attempt, token, errors, losses, ooms,
        metrics, reason, created_at, started_at, ended_at,
    ) = row  # fmt: skip
    return TrialRecord(
        id=trial_id,
        number=number,
        assignments=json.loads(assignments),
        source=source,
        state=TrialState(state),
        created_at=created_at,
        attempt=attempt,
        token=token,
        errors=errors,
        losses=losses,
        ooms=ooms,
        values=None if metrics is None else json.loads(metrics),
        reason=reason,
        started_at=started_at,
        ended_at=ended_at,
    )
