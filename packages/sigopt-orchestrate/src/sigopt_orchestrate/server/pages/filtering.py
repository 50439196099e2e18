"""The part of an experiment's trials that a page asks for, as its address says it."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Select, or_

from sigopt_orchestrate.lifecycle import IN_FLIGHT, TrialState
from sigopt_orchestrate.server.errors import InvalidError
from sigopt_orchestrate.server.pages.relation import Relation

_SORTS = ("number", "state", "source", "attempt", "started_at", "ended_at", "duration")


def narrowed(relation: Relation, query: Mapping[str, str], rows: Select[Any]) -> Select[Any]:
    """Returns `rows` with the conditions of an address's query.

    `state=completed,failed` or `running` for all in flight; `p.rate=1e-4..0.1`, `p.kind=a,b` and
    `m.accuracy=0.9..` for parameters and metrics; ends that are left out are open.

    Raises:
        InvalidError: If a condition cannot be understood.
    """
    for key, value in query.items():
        condition = _condition(relation, key, value)
        if condition is not None:
            rows = rows.where(condition)
    return rows


def is_narrowed(query: Mapping[str, str]) -> bool:
    """Returns whether the query leaves trials out."""
    return any(key == "state" or key[:2] in ("p.", "m.") for key in query)


def ordered(relation: Relation, query: Mapping[str, str], rows: Select[Any]) -> Select[Any]:
    """Returns `rows` in the order of the query's `sort` and `descending`, nulls last.

    Raises:
        InvalidError: If there is no such column.
    """
    name = query.get("sort", "number")
    columns = relation.columns
    if name.startswith("p."):
        column = relation.parameters.get(name[2:])
    elif name.startswith("m."):
        column = relation.metrics.get(name[2:])
    elif name == "duration":
        column = columns.ended_at - columns.started_at
    else:
        column = columns[name] if name in _SORTS else None
    if column is None:
        raise InvalidError(f"sort: there is no column {name[:60]!r}")
    if name == "number":
        return rows.order_by(column.desc() if query.get("descending") else column)
    by = column.desc() if query.get("descending") else column.asc()
    return rows.order_by(by.nulls_last(), columns.number)


def _condition(relation: Relation, key: str, value: str) -> ColumnElement[bool] | None:
    if key == "state":
        return _states(relation, value)
    if key[:2] not in ("p.", "m."):
        return None
    known = relation.parameters if key[0] == "p" else relation.metrics
    column = known.get(key[2:])
    if column is None:
        raise InvalidError(f"{key[:60]}: the experiment has none of this name")
    low, dots, high = value.partition("..")
    kinds = {p.name: p.type for p in relation.subject.spec.parameters}
    if key[0] == "p" and kinds[key[2:]] == "categorical":
        return column.in_(value.split(","))
    if not dots:
        raise InvalidError(f"{key[:60]}: must be a range such as 0.1..0.5, not {value[:60]!r}")
    bounds = []
    if low:
        bounds.append(column >= _number(key, low))
    if high:
        bounds.append(column <= _number(key, high))
    return bounds[0] & bounds[-1] if bounds else None


def _states(relation: Relation, value: str) -> ColumnElement[bool]:
    state = relation.columns.state
    chosen = []
    for name in value.split(","):
        if name not in list(TrialState):
            raise InvalidError(f"state: must be {', '.join(TrialState)}, not {name[:40]!r}")
        if name == TrialState.RUNNING:
            chosen.append(state.in_([str(s) for s in IN_FLIGHT]))
        else:
            chosen.append(state == name)
    return or_(*chosen)


def _number(key: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InvalidError(f"{key[:60]}: {text[:40]!r} is not a number") from None
