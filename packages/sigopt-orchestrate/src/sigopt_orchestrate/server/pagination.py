"""Pages of a list, the newest first; markers are opaque to callers."""

import base64
import binascii
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Select, and_, func, or_

from sigopt_orchestrate.server.errors import InvalidError
from sigopt_orchestrate.server.json_bodies import Json

MAX_LIMIT = 1000


def page(
    tx: Connection,
    query: Mapping[str, str],
    rows: Select[Any],
    id_column: Column[int],
    make: Callable[[Sequence[Any]], list[Json]],
    *,
    sort: ColumnElement[Any] | None = None,
) -> Json:
    """Returns one page of `rows` as a pagination object.

    Args:
        tx: The transaction.
        query: May hold `limit`, `ascending` and one of `before` and `after`: `before` goes on with
            what follows in the order, `after` goes back.
        rows: All that match, without an order.
        id_column: Makes the order complete.
        make: Turns a page's rows into objects, all at once.
        sort: What to order by first; by the id alone where absent. Nulls come last.

    Raises:
        InvalidError: If one of the query's values is not valid.
    """
    limit = _read_limit(query)
    back = "after" in query and "before" not in query
    order = _Order(sort, id_column, ascending=_read_ascending(query) != back, nulls_first=back)
    marker = query.get("after" if back else "before")
    limited = rows.where(order.beyond(*_unpack(marker))) if marker else rows
    key = (sort if sort is not None else id_column).label("page_key")
    limited = limited.add_columns(key).order_by(*order.columns()).limit(limit + 1)
    found = tx.execute(limited).all()
    more = len(found) > limit
    found = found[:limit][::-1] if back else found[:limit]
    count = rows.with_only_columns(func.count(), maintain_column_froms=True)
    older, newer = (bool(marker), more) if back else (more, bool(marker))
    return {
        "object": "pagination",
        "count": tx.execute(count).scalar_one(),
        "data": make(found),
        "paging": {
            "object": "paging",
            "before": _pack(found[-1]) if found and older else None,
            "after": _pack(found[0]) if found and newer else None,
        },
    }


def listed(data: list[Json]) -> Json:
    """Returns a list that needs no pages as a pagination object."""
    paging = {"object": "paging", "before": None, "after": None}
    return {"object": "pagination", "count": len(data), "data": data, "paging": paging}


@dataclass(frozen=True)
class _Order:
    """By `sort` and then by id, both in one direction; rows without a sort value at one end."""

    sort: ColumnElement[Any] | None
    id_column: Column[int]
    ascending: bool
    nulls_first: bool

    def columns(self) -> list[ColumnElement[Any]]:
        columns: list[ColumnElement[Any]] = (
            [self.id_column] if self.sort is None else [self.sort, self.id_column]
        )
        directed: list[ColumnElement[Any]] = [
            column.asc() if self.ascending else column.desc() for column in columns
        ]
        if self.sort is None:
            return directed
        absent = self.sort.is_(None)
        return [absent.desc() if self.nulls_first else absent.asc(), *directed]

    def beyond(self, key: Any, row_id: int) -> ColumnElement[bool]:
        """The rows that follow the one with this sort value and id."""
        later = self.id_column > row_id if self.ascending else self.id_column < row_id
        if self.sort is None:
            return later
        absent = self.sort.is_(None)
        if key is None:
            same = and_(absent, later)
            return or_(same, self.sort.is_not(None)) if self.nulls_first else same
        further = self.sort > key if self.ascending else self.sort < key
        present = or_(further, and_(self.sort == key, later))
        return present if self.nulls_first else or_(present, absent)


def _read_limit(query: Mapping[str, str]) -> int:
    text = query.get("limit", str(MAX_LIMIT))
    if not (text.isascii() and text.isdigit()) or len(text) > 9 or int(text) > MAX_LIMIT:
        raise InvalidError(
            f"limit: must be a whole number from 0 to {MAX_LIMIT}, not {text[:40]!r}"
        )
    return int(text)


def _read_ascending(query: Mapping[str, str]) -> bool:
    text = query.get("ascending", "false").lower()
    if text not in ("true", "false", "1", "0"):
        raise InvalidError(f"ascending: must be true or false, not {text[:40]!r}")
    return text in ("true", "1")


def _pack(row: Any) -> str:
    text = json.dumps([row.page_key, row.id])
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _unpack(marker: str) -> tuple[Any, int]:
    try:
        padded = marker + "=" * (-len(marker) % 4)
        key, row_id = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        plain = key is None or isinstance(key, str | int | float)
        if isinstance(row_id, int) and not isinstance(row_id, bool) and plain:
            return key, min(max(row_id, 0), 2**31 - 1)
    except (binascii.Error, ValueError, TypeError, RecursionError):
        pass
    raise InvalidError(f"before, after: {marker[:40]!r} is no marker from an earlier page")
