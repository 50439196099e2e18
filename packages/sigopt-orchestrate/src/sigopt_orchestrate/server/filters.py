"""Filters and sorts of training runs: `[{field, operator, value}]` as SQL."""

import operator
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Double,
    case,
    cast,
    func,
    literal,
    not_,
    or_,
)
from sqlalchemy.dialects.postgresql import JSONB

from sigopt_orchestrate.server.errors import InvalidError
from sigopt_orchestrate.server.json_bodies import read_value
from sigopt_orchestrate.server.wire.fields import MAX_ID
from sigopt_orchestrate.store.resources import training_runs

_COLUMNS: dict[str, Any] = {
    "id": training_runs.c.id,
    "client": training_runs.c.client_id,
    "experiment": training_runs.c.experiment_id,
    "observation": training_runs.c.observation_id,
    "suggestion": training_runs.c.suggestion_id,
    "user": literal(None),
    "created": training_runs.c.created,
    "updated": training_runs.c.updated,
    "completed": training_runs.c.completed,
    "checkpoint_count": training_runs.c.checkpoint_count,
    "name": training_runs.c.name,
    "state": training_runs.c.state,
    "finished": training_runs.c.state != "active",
    "deleted": training_runs.c.deleted,
    "favorite": training_runs.c.favorite,
    "optimized_suggestion": training_runs.c.optimized_suggestion,
}
_IDS = {"id", "client", "experiment", "observation", "suggestion", "user"}
_FLAGS = {"finished", "deleted", "favorite", "optimized_suggestion"}
_TEXTS = {"name", "state"}
_ORDERING: dict[str, Callable[[Any, Any], Any]] = {
    ">=": operator.ge,
    ">": operator.gt,
    "<=": operator.le,
    "<": operator.lt,
}
_OPERATORS = ("==", "!=", *_ORDERING, "isnull")
_MAX_FILTERS = 100


def run_filters(tx: Connection, query: Mapping[str, str]) -> list[ColumnElement[bool]]:
    """Returns the conditions that the query's `filters` and `search` make.

    Deleted runs are left out unless a filter speaks of `deleted`.

    Raises:
        InvalidError: If a filter is not valid, with its place in the list.
    """
    filters = read_value(query["filters"], "filters") if query.get("filters") else []
    if not isinstance(filters, list) or len(filters) > _MAX_FILTERS:
        raise InvalidError(f"filters: must be a list of at most {_MAX_FILTERS} objects")
    conditions = [_condition(tx, entry, f"filters[{i}]") for i, entry in enumerate(filters)]
    if not any(entry["field"] == "deleted" for entry in filters):
        conditions.append(training_runs.c.deleted.is_(False))
    if search := query.get("search"):
        named = func.lower(training_runs.c.name).contains(search.lower(), autoescape=True)
        by_id = search.isascii() and search.isdigit() and len(search) < 10
        conditions.append(or_(named, training_runs.c.id == int(search)) if by_id else named)
    return conditions


def run_sort(tx: Connection, query: Mapping[str, str]) -> ColumnElement[Any] | None:
    """Returns what the query's `sort` orders by; None for the id.

    Assignments and metadata are ordered as numbers; those that are text come last.

    Raises:
        InvalidError: If there is no such field.
    """
    field = query.get("sort", "id")
    if field == "id":
        return None
    if field in _FLAGS:
        return case((_COLUMNS[field], 1), else_=0)
    if field in _COLUMNS:
        return _COLUMNS[field]
    path = _path(field, "sort")
    numeric = path[0] in ("assignments", "metadata", "values")
    return _number(tx, path) if numeric else _text(tx, path)


def _condition(tx: Connection, entry: object, place: str) -> ColumnElement[bool]:
    if not isinstance(entry, dict) or not isinstance(entry.get("field"), str):
        raise InvalidError(f"{place}.field: is required")
    field, name, value = entry["field"], entry.get("operator"), entry.get("value")
    if name not in _OPERATORS:
        raise InvalidError(f"{place}.operator: must be one of {', '.join(_OPERATORS)}")
    if name in _ORDERING and (value is None or isinstance(value, bool)):
        raise InvalidError(f"{place}.value: {name} needs a number or text, not {value!r}")
    if field == "state" and name != "==":
        raise InvalidError(f"{place}.operator: state is compared by == only")
    if isinstance(value, dict | list):
        raise InvalidError(f"{place}.value: must be a number, text, true, false or null")
    null = name == "isnull" or value is None
    if field in _COLUMNS:
        column = _COLUMNS[field]
        value = None if null else _fitting(field, value, place)
    else:
        path = _path(field, f"{place}.field")
        column = _text(tx, path) if null or isinstance(value, str) else _number(tx, path)
        if isinstance(value, bool) and not null:
            raise InvalidError(f"{place}.value: must be a number or text, not {value!r}")
        value = float(value) if isinstance(value, int) else value
    if null:
        is_null = column.is_(None)
        wanted = name == "==" or (name == "isnull" and entry.get("value", True) is not False)
        return is_null if wanted else not_(is_null)
    if name in _ORDERING:
        return _ORDERING[name](column, value)
    same = (column if value else not_(column)) if field in _FLAGS else column == value
    return same if name == "==" else or_(not_(same), column.is_(None))


def _fitting(field: str, value: object, place: str) -> object:
    """The value as its column has it."""
    if field in _FLAGS:
        if not isinstance(value, bool):
            raise InvalidError(f"{place}.value: must be true or false, not {value!r}")
        return value
    if field in _TEXTS:
        if not isinstance(value, str):
            raise InvalidError(f"{place}.value: must be text, not {value!r}")
        if field == "state" and value not in ("active", "completed", "failed"):
            raise InvalidError(f"{place}.value: must be active, completed or failed")
        return value
    if field in _IDS and isinstance(value, str) and value.isascii() and value.isdigit():
        return min(int(value[:12]), MAX_ID)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidError(f"{place}.value: must be a number, not {value!r}")
    return min(max(float(value), -1.0), float(MAX_ID))


def _path(field: str, place: str) -> tuple[str, ...]:
    """The keys that lead to a field of the document."""
    first, _, rest = field.partition(".")
    path: tuple[str, ...] | None = None
    if field in ("model.type", "source_code.content", "source_code.hash") or (
        first in ("assignments", "metadata") and rest
    ):
        path = (first, rest)
    elif first == "logs" and rest.endswith(".content"):
        path = (first, rest.removesuffix(".content"), "content")
    elif first == "values":
        for last in ("value_stddev", "value"):
            if rest.endswith(f".{last}") and path is None:
                path = (first, rest.removesuffix(f".{last}"), last)
    if path is None or not all(path) or '"' in field or "\\" in field:
        raise InvalidError(f"{place}: {field[:60]!r} is no field of training runs")
    return path


def _number(tx: Connection, path: tuple[str, ...]) -> ColumnElement[Any]:
    document = training_runs.c.document
    if tx.dialect.name == "sqlite":
        where = _sqlite_path(path)
        is_number = func.json_type(document, where).in_(("integer", "real"))
        return case((is_number, func.json_extract(document, where)), else_=None)
    found = func.jsonb_extract_path(cast(document, JSONB), *path)
    text = func.jsonb_extract_path_text(cast(document, JSONB), *path)
    return case((func.jsonb_typeof(found) == "number", cast(text, Double)), else_=None)


def _text(tx: Connection, path: tuple[str, ...]) -> ColumnElement[Any]:
    document = training_runs.c.document
    if tx.dialect.name == "sqlite":
        return func.json_extract(document, _sqlite_path(path))
    return func.jsonb_extract_path_text(cast(document, JSONB), *path)


def _sqlite_path(path: tuple[str, ...]) -> str:
    return "$" + "".join(f'."{key}"' for key in path)
