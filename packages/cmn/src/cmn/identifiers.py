"""Identifiers: the users' and items' own ids, of any type, and the numbers behind them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cmn.errors import InteractionsError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

NOTHING = -1  # the number of no row or column


def _whole_numbers(labels: ArrayLike) -> bool:
    """Tells a list of Python integers, of which numpy makes floats where they are too large."""
    if not isinstance(labels, (list, tuple)) or not labels:
        return False
    return all(type(label) is int for label in labels)


def as_labels(field: str, labels: ArrayLike) -> NDArray[Any]:
    """Returns ids as a vector: numbers and dates as they are, everything else as Python objects.

    Raises:
        InteractionsError: not one-dimensional, or an id is missing (None, NaN, NaT) or infinite.
    """
    values = np.asarray(labels)
    if values.ndim != 1:
        raise InteractionsError(
            f"{field} has shape {values.shape}; a one-dimensional list of ids is needed"
        )
    if values.dtype.kind == "f" and _whole_numbers(labels):
        raise InteractionsError(
            f"{field} has whole numbers that no integer type holds together; give them as text"
        )
    if values.dtype.kind in "USTO":
        # numpy would turn the 1 of [1, "a"] into text; the caller's own objects stay what they are
        objects = np.empty(values.size, dtype=object)
        objects[:] = labels if isinstance(labels, (list, tuple)) else values.tolist()
        missing = sum(label is None or label != label for label in objects.tolist())  # noqa: PLR0124
        values = objects
    elif values.dtype.kind == "f":
        missing = int((~np.isfinite(values)).sum())
    else:
        missing = int(np.isnat(values).sum()) if values.dtype.kind in "mM" else 0
    if missing:
        raise InteractionsError(
            f"{field} has {missing} ids that are NaN, infinite or missing; every row needs an id"
        )
    return values


def encode(field: str, labels: ArrayLike) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Returns the distinct ids, sorted where they can be, and each label's place among them.

    Args:
        field: what the ids are of, for errors.
        labels: n ids.

    Returns:
        (m,) ids and int64 (n,).

    Raises:
        InteractionsError: an id is missing.
    """
    values = as_labels(field, labels)
    if values.dtype != object:
        distinct, places = np.unique(values, return_inverse=True)
        return distinct, places.astype(np.int64, copy=False)
    found: dict[Any, int] = {}
    places = np.fromiter(
        (found.setdefault(label, len(found)) for label in values.tolist()), np.int64, values.size
    )
    distinct = np.empty(len(found), dtype=object)
    distinct[:] = list(found)
    try:
        order = np.array(sorted(range(len(found)), key=list(found).__getitem__), dtype=np.int64)
    except TypeError:  # ids of mixed types have no order; they keep that of their appearance
        return distinct, places
    ranks = np.empty_like(order)
    ranks[order] = np.arange(order.size)
    return distinct[order], ranks[places]


class Identifiers:
    """The ids of all rows (or columns), in order, and the way from an id to its number.

    Args:
        field: `users` or `items`, for errors.
        labels: the n distinct ids.
    """

    def __init__(self, field: str, labels: NDArray[Any]) -> None:
        self.field = field
        self.labels = labels
        self._numbers: dict[Any, int] | None = None

    @classmethod
    def numbered(cls, field: str, size: int) -> Identifiers:
        """Returns 0 to size - 1: every id is its own number."""
        return cls(field, np.arange(size))

    def __len__(self) -> int:
        return len(self.labels)

    def numbers(self, ids: ArrayLike, field: str | None = None) -> NDArray[np.int64]:
        """Returns the numbers of ids, int64 (n,).

        Args:
            ids: a list of n known ids.
            field: what to call them in an error, if not `users` or `items`.

        Raises:
            InteractionsError: ids are unknown, with their number, or no one-dimensional list.
        """
        found = self.find(ids, field)
        unknown = found == NOTHING
        if unknown.any():
            name, first = field or self.field, as_labels(field or self.field, ids)[unknown][:1]
            raise InteractionsError(
                f"{name} has {int(unknown.sum())} unknown ids (the first is {first.tolist()[0]!r});"
                f" {len(self)} are known, {self.labels[:1].tolist()[0]!r} to"
                f" {self.labels[-1:].tolist()[0]!r}"
            )
        return found

    def find(self, ids: ArrayLike, field: str | None = None) -> NDArray[np.int64]:
        """Returns the numbers of ids, -1 for unknown ones, int64 (n,)."""
        wanted = as_labels(field or self.field, ids)
        if self._numbers is None:
            self._numbers = {label: number for number, label in enumerate(self.labels.tolist())}
        known = self._numbers
        return np.fromiter((known.get(x, NOTHING) for x in wanted.tolist()), np.int64, wanted.size)

    def of(self, numbers: NDArray[np.int64]) -> NDArray[Any]:
        """Returns the ids of numbers of any shape; those of -1 are -1 or, among objects, None."""
        if len(self) == 0 or (numbers != NOTHING).all():
            return self.labels[numbers]
        ids = self.labels[np.maximum(numbers, 0)]
        if ids.dtype.kind not in "if":
            ids = ids.astype(object)
        ids[numbers == NOTHING] = None if ids.dtype == object else NOTHING
        return ids

    def extended(self, ids: ArrayLike) -> Identifiers:
        """Returns these ids followed by those of `ids` that are new."""
        distinct, _ = encode(self.field, ids)
        fresh = distinct[self.find(distinct) == NOTHING]
        if fresh.size == 0:
            return self
        if object in (fresh.dtype, self.labels.dtype):
            labels = np.empty(len(self) + fresh.size, dtype=object)
            labels[:] = [*self.labels.tolist(), *fresh.tolist()]
        else:
            labels = self._joined(fresh)
        return Identifiers(self.field, labels)

    def _joined(self, fresh: NDArray[Any]) -> NDArray[Any]:
        """Returns these ids and fresh ones in the first type that holds all of them as they are."""
        wanted = [*self.labels.tolist(), *fresh.tolist()]
        for dtype in (np.result_type(self.labels, fresh), self.labels.dtype, fresh.dtype):
            labels = np.concatenate([self.labels.astype(dtype), fresh.astype(dtype)])
            if labels.tolist() == wanted:
                return labels
        raise InteractionsError(
            f"{self.field} has new ids of type {fresh.dtype}, which no type holds together with the"
            f" known ones of type {self.labels.dtype}; give both as text"
        )


def plain(label: Any) -> Any:
    """Returns an id as a JSON value: a number, or else text."""
    value = label.item() if isinstance(label, np.generic) else label
    return value if isinstance(value, (int, float, str)) else str(value)
