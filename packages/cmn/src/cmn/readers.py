"""Readers: interactions from csv, parquet and npz files."""

from __future__ import annotations

import csv
import zipfile
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from cmn.errors import DataError, MissingDependencyError
from cmn.interactions import Interactions, binary_csr, check_indices, from_pairs

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

USER_NAMES = ("user", "user_id", "userid")
ITEM_NAMES = ("item", "item_id", "itemid")
RATING_NAMES = ("rating",)


def read_interactions(path: Path, min_rating: float | None = None) -> Interactions:
    """Returns the interactions in a file, whose suffix says its format.

    - `.csv`: columns user, item and perhaps rating by name, else the first two (three) columns.
    - `.parquet`: columns user, item and perhaps rating by name.
    - `.npz`: a matrix by `scipy.sparse.save_npz`, or arrays user, item and perhaps rating; with an
      array shape, too, ids have to lie within it.

    Args:
        path: the file.
        min_rating: keep only rows rated at least this.

    Raises:
        DataError: the file is missing or unreadable, or its columns or format are unknown.
        InteractionsError: the content is no usable set of interactions.
    """
    readers = {".csv": _read_csv, ".parquet": _read_parquet, ".npz": _read_npz}
    if path.suffix not in readers:
        raise DataError(f"data file is {str(path)!r}; the endings {', '.join(readers)} are allowed")
    if not path.is_file():
        raise DataError(f"data file {str(path)!r} does not exist")
    try:
        return readers[path.suffix](path, min_rating)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"data file {str(path)!r} cannot be read: {error}") from error


def _named_columns(path: Path, columns: Sequence[str]) -> tuple[int, int, int | None]:
    """Returns the positions of user, item and rating among column names."""
    lowered = [column.strip().lower() for column in columns]

    def position(names: tuple[str, ...]) -> int | None:
        return next((lowered.index(name) for name in names if name in lowered), None)

    user, item = position(USER_NAMES), position(ITEM_NAMES)
    if user is None or item is None:
        raise DataError(
            f"data file {str(path)!r} has the columns {', '.join(columns)};"
            " user and item are needed, rating and timestamp allowed"
        )
    return user, item, position(RATING_NAMES)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _is_header(first: Sequence[str], second: Sequence[str]) -> bool:
    """Tells a header: it holds a known name, or words where the next row has a number."""
    known = {*USER_NAMES, *ITEM_NAMES, *RATING_NAMES}
    if any(cell.strip().lower() in known for cell in first):
        return True
    return any(map(_is_number, second)) and not any(map(_is_number, first))


def _ids(cells: Sequence[str]) -> np.ndarray[Any, Any]:
    """Returns ids as integers where all are, otherwise as text."""
    labels = np.asarray(cells, dtype=str)
    try:
        integers = labels.astype(np.int64)
    except (ValueError, OverflowError):
        return labels
    return integers if (integers.astype(str) == labels).all() else labels


def _read_csv(path: Path, min_rating: float | None) -> Interactions:
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = (row for row in csv.reader(file) if row)
        start = list(islice(rows, 2))
        if not start:
            raise DataError(f"data file {str(path)!r} is empty; rows of user and item are needed")
        width = len(start[0])
        if _is_header(start[0], start[-1] if len(start) > 1 else []):
            user, item, rating = _named_columns(path, start[0])
            start = start[1:]
        elif width < 2:
            raise DataError(f"data file {str(path)!r} has {width} column; user and item are needed")
        else:
            user, item, rating = 0, 1, 2 if width > 2 else None
        table = []
        for number, row in enumerate(chain(start, rows), start=1):
            if len(row) != width:
                raise DataError(
                    f"data file {str(path)!r} has {len(row)} cells in data row {number};"
                    f" {width} are needed"
                )
            table.append(row)
    ratings = None
    if rating is not None:
        cells = [row[rating] for row in table]
        wrong = next((cell for cell in cells if not _is_number(cell)), None)
        if wrong is not None:
            raise DataError(f"data file {str(path)!r} has the rating {wrong!r}; a number is needed")
        ratings = np.asarray(cells, dtype=np.float64)
    return from_pairs(
        _ids([row[user] for row in table]), _ids([row[item] for row in table]), ratings, min_rating
    )


def _read_parquet(path: Path, min_rating: float | None) -> Interactions:
    try:
        from pyarrow import ArrowInvalid, parquet  # noqa: PLC0415  an optional dependency
    except ImportError as error:
        raise MissingDependencyError(
            "reading parquet needs pyarrow, which the extra cmn[parquet] brings;"
            " install it with: pip install pyarrow"
        ) from error
    try:
        table = parquet.read_table(path)
    except ArrowInvalid as error:
        raise DataError(f"data file {str(path)!r} is not a parquet file: {error}") from error
    positions = _named_columns(path, table.column_names)
    for position in positions:
        if position is not None and table.column(position).null_count:
            raise DataError(
                f"data file {str(path)!r} has {table.column(position).null_count} empty cells in"
                f" column {table.column_names[position]}; none are allowed"
            )
    user, item, rating = positions
    ratings = None if rating is None else table.column(rating).to_numpy()
    return from_pairs(
        table.column(user).to_numpy(), table.column(item).to_numpy(), ratings, min_rating
    )


def _read_npz(path: Path, min_rating: float | None) -> Interactions:
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = dict(archive)
        matrix = sparse.load_npz(path) if "format" in arrays else None
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(
            f"data file {str(path)!r} is not a plain npz archive (pickled objects are refused):"
            f" {error}"
        ) from error
    if matrix is not None:
        matrix = binary_csr(matrix, min_rating)
        return Interactions(matrix, *(np.arange(size) for size in matrix.shape))
    if not {"user", "item"} <= arrays.keys():
        raise DataError(
            f"data file {str(path)!r} holds the arrays {', '.join(sorted(arrays))};"
            " a matrix by scipy.sparse.save_npz or the arrays user and item are needed"
        )
    users, items = arrays["user"], arrays["item"]
    if "shape" in arrays:
        users = check_indices("user", users, arrays["shape"][0])
        items = check_indices("item", items, arrays["shape"][1])
    return from_pairs(users, items, arrays.get("rating"), min_rating)
