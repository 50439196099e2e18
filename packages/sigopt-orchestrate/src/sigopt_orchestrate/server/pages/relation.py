"""An experiment's trials as one relation, whichever tables they lie in; JSON's parts as columns."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    JSON,
    ColumnElement,
    Connection,
    Float,
    FromClause,
    Select,
    String,
    and_,
    case,
    cast,
    func,
    literal,
    null,
    select,
    type_coerce,
)

from sigopt_orchestrate.lifecycle import REPEAT, TrialState
from sigopt_orchestrate.server.pages.subjects import Subject
from sigopt_orchestrate.spec.consistency import TASK
from sigopt_orchestrate.store import TrialRecord, resources, schema

_CHUNK = 500  # SQLite allows some tens of thousands of parameters; this is far from it


@dataclass(frozen=True)
class Relation:
    """The trials of one experiment.

    Attributes:
        rows: Has `id`, `number`, `state`, `source`, `attempt`, `token`, `reason`, `created_at`,
            `started_at`, `ended_at`, and `assignments` and `metrics` as JSON text.
        metrics: A number for each metric by name; null where there is none.
        parameters: A number for each numeric parameter by name, text for each other.
        eligible: Whether a trial can be the best; see `analysis.eligible`.
    """

    rows: FromClause
    metrics: dict[str, ColumnElement[Any]]
    parameters: dict[str, ColumnElement[Any]]
    eligible: ColumnElement[bool]
    subject: Subject

    @property
    def columns(self) -> Any:
        """The columns of `rows` by name."""
        return self.rows.c


def relation_of(tx: Connection, subject: Subject) -> Relation:
    """Returns the relation of an experiment's trials."""
    sqlite = tx.dialect.name == "sqlite"
    rows = _local_rows(subject.id) if subject.kind == "local" else _served_rows(subject.id)
    metrics = {}
    for index, metric in enumerate(subject.spec.metrics):
        path = (metric.name,) if subject.kind == "local" else (index, "value")
        metrics[metric.name] = _part(rows.c.metrics, path, sqlite=sqlite).as_float()
    parameters = {}
    for parameter in subject.spec.parameters:
        part = _part(rows.c.assignments, (parameter.name,), sqlite=sqlite)
        text = parameter.type == "categorical"
        parameters[parameter.name] = part.as_string() if text else part.as_float()
    reached = [
        metrics[m.name] >= m.threshold if m.sign > 0 else metrics[m.name] <= m.threshold
        for m in subject.spec.metrics
        if m.threshold is not None
    ]
    full = next((task.name for task in subject.spec.tasks if task.cost == 1), None)
    if full is not None:
        task = _part(rows.c.assignments, (TASK,), sqlite=sqlite).as_string()
        reached.append((task if subject.kind == "local" else rows.c.task) == full)
    repeated = func.coalesce(rows.c.source, "").startswith(REPEAT)
    return Relation(rows, metrics, parameters, and_(~repeated, *reached), subject)


@dataclass(frozen=True)
class Totals:
    """What all trials of an experiment come to.

    Attributes:
        counts: How many there are in each state that some are in.
        spent_s: The seconds that the ended attempts took together.
        best: The best value of each objective that has one.
    """

    counts: dict[str, int]
    spent_s: float
    best: dict[str, float]


def totals(tx: Connection, relation: Relation) -> Totals:
    """Returns what all trials come to, by one look at each."""
    objectives = relation.subject.spec.objectives
    columns = relation.columns
    took = func.coalesce(func.sum(columns.ended_at - columns.started_at), 0.0)
    able = {m.name: case((relation.eligible, relation.metrics[m.name])) for m in objectives}
    best = [(func.max if m.sign > 0 else func.min)(able[m.name]) for m in objectives]
    query = select(columns.state, func.count(), took, *best).group_by(columns.state)
    rows = tx.execute(query).all()
    done = next((row for row in rows if row[0] == "completed"), (None,) * (3 + len(best)))
    return Totals(
        counts={row[0]: int(row[1]) for row in rows},
        spent_s=float(sum(row[2] for row in rows)),
        best={m.name: v for m, v in zip(objectives, done[3:], strict=True) if v is not None},
    )


def read_some(tx: Connection, relation: Relation, numbers: Sequence[int]) -> list[TrialRecord]:
    """Returns the trials with these numbers, by number."""
    found: list[TrialRecord] = []
    for start in range(0, len(numbers), _CHUNK):
        chosen = relation.columns.number.in_(numbers[start : start + _CHUNK])
        found += read_all(tx, relation, select(relation.rows).where(chosen))
    return sorted(found, key=lambda trial: trial.number)


def read_all(tx: Connection, relation: Relation, query: Select[Any]) -> list[TrialRecord]:
    """Returns what a query of all the relation's columns finds."""
    names = [metric.name for metric in relation.subject.spec.metrics]
    return [_record(row, names) for row in tx.execute(query)]


def read_plain(tx: Connection, query: Select[Any]) -> list[tuple[Any, ...]]:
    """Returns a query's rows as the driver has them.

    Of many rows, SQLAlchemy's own cost as much as the database's work.
    """
    with tx.execute(query) as found:
        return list(found.cursor.fetchall())


def version(tx: Connection, subject: Subject) -> str:
    """Returns what changes whenever a page about the experiment would look different."""
    if subject.kind == "local":
        last = tx.execute(select(func.coalesce(func.max(schema.events.c.id), 0))).scalar_one()
        return f"{last}.{subject.state}.{int(subject.paused)}"
    table = resources.observations.c
    mine = (table.experiment_id == subject.id) & table.deleted.is_(False)
    observed = select(func.count(), func.max(table.id), func.sum(table.merit)).where(mine)
    runs = resources.training_runs.c
    active = select(func.count(), func.max(runs.id)).where(
        runs.experiment_id == subject.id, runs.deleted.is_(False), runs.state == "active"
    )
    opened = resources.suggestions.c
    waiting = select(func.count()).where(
        opened.experiment_id == subject.id, opened.deleted.is_(False), opened.open.is_(True)
    )
    parts = [*tx.execute(observed).one(), *tx.execute(active).one(), *tx.execute(waiting).one()]
    return ".".join(str(part) for part in (*parts, subject.state))


def _part(column: ColumnElement[Any], path: Iterable[Any], *, sqlite: bool) -> Any:
    """A part of a JSON text column."""
    document: Any = type_coerce(column, JSON) if sqlite else cast(column, JSON)
    steps = tuple(path)
    return document[steps if len(steps) > 1 else steps[0]]


def _local_rows(experiment_id: int) -> FromClause:
    trials, attempts, observed = schema.trials, schema.attempts, schema.observations
    current = (attempts.c.trial_id == trials.c.id) & (attempts.c.number == trials.c.attempt)
    joined = trials.outerjoin(attempts, current).outerjoin(
        observed, observed.c.trial_id == trials.c.id
    )
    return (
        select(
            trials.c.id,
            trials.c.number,
            trials.c.state,
            trials.c.source,
            trials.c.attempt,
            attempts.c.token,
            trials.c.reason,
            trials.c.created_at,
            attempts.c.started_at,
            attempts.c.ended_at,
            trials.c.assignments,
            observed.c.metrics,
        )
        .select_from(joined)
        .where(trials.c.experiment_id == experiment_id)
        .subquery("t")
    )


def _served_rows(experiment_id: int) -> FromClause:
    """Observations as trials, numbered in the order in which they came."""
    observed, suggested = resources.observations, resources.suggestions
    runs = resources.training_runs
    joined = observed.outerjoin(suggested, observed.c.suggestion_id == suggested.c.id).outerjoin(
        runs, observed.c.training_run_id == runs.c.id
    )
    failed = case((observed.c.failed.is_(True), "failed"), else_="completed")
    began = func.coalesce(runs.c.created, suggested.c.created)
    return (
        select(
            observed.c.id,
            func.row_number().over(order_by=observed.c.id).label("number"),
            cast(failed, String).label("state"),
            func.coalesce(suggested.c.source, literal("own")).label("source"),
            literal(1).label("attempt"),
            null().label("token"),
            null().label("reason"),
            cast(observed.c.created, Float).label("created_at"),
            cast(began, Float).label("started_at"),
            cast(observed.c.created, Float).label("ended_at"),
            observed.c.assignments,
            observed.c["values"].label("metrics"),
            observed.c.task,
        )
        .select_from(joined)
        .where(observed.c.experiment_id == experiment_id, observed.c.deleted.is_(False))
        .subquery("t")
    )


def _record(row: Any, names: Sequence[str]) -> TrialRecord:
    state = TrialState(row.state)
    values = None if row.metrics is None else json.loads(row.metrics)
    if isinstance(values, list):  # the API's, in the metrics' order
        pairs = zip(names, (value["value"] for value in values), strict=False)
        values = {name: value for name, value in pairs if value is not None}
    assignments = json.loads(row.assignments)
    if getattr(row, "task", None) is not None:
        assignments[TASK] = row.task
    return TrialRecord(
        id=row.id,
        number=row.number,
        assignments=assignments,
        source=row.source,
        state=state,
        created_at=row.created_at,
        attempt=row.attempt,
        token=row.token,
        values=values if state is TrialState.COMPLETED else None,
        reason=row.reason,
        started_at=row.started_at,
        ended_at=row.ended_at,
    )
