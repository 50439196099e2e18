"""Readers: interactions from a matrix, a table or a file of any of the usual formats."""

from __future__ import annotations

import csv
import zipfile
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from cmn.errors import DataError
from cmn.frames import (
    ITEM_NAMES,
    RATING_NAMES,
    USER_NAMES,
    find_columns,
    from_frame,
    is_frame,
    read_parquet,
)
from cmn.interactions import Interactions, binary_csr, check_indices, from_pairs, numbered

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

SEPARATORS = {
    ".csv": ",",
    ".tsv": "\t",
    ".inter": "\t",
    ".rating": "\t",
    ".data": "\t",
    ".dat": "::",
    ".txt": None,  # any blanks
}


def as_interactions(data: Any, min_rating: float | None = None) -> Interactions:
    """Returns the interactions in a matrix, a table, a file, or what are interactions already.

    Args:
        data: a scipy.sparse array (P, Q), whose ids are its row and column numbers; a table of
            pandas, polars or Arrow; the path of a file; or `Interactions`.
        min_rating: keep only what is rated at least this.

    Raises:
        InteractionsError: not usable.
        DataError: a table or file has no columns user and item, or cannot be read.
    """
    if isinstance(data, Interactions):
        return data
    if isinstance(data, (str, Path)):
        return read_interactions(Path(data), min_rating)
    if is_frame(data):
        return from_frame(data, min_rating)
    return numbered(binary_csr(data, min_rating))


def read_interactions(path: Path, min_rating: float | None = None) -> Interactions:
    """Returns the interactions in a file, whose ending says its format.

    - Rows of user, item, perhaps rating, perhaps timestamp: `.csv` with commas; `.tsv`, `.inter`
      (RecBole), `.rating` (NCF) and `.data` (MovieLens 100K) with tabs; `.dat` (MovieLens 1M) with
      `::`; `.txt` (trust-style Epinions) with blanks. Columns go by the names in the first row, or
      without names by this order.
    - `.parquet`: columns user, item, perhaps rating and timestamp by name.
    - `.npz`: a matrix by `scipy.sparse.save_npz`, or arrays user, item and perhaps rating; with an
      array shape, too, ids have to lie within it.

    Args:
        path: the file.
        min_rating: keep only rows rated at least this.

    Raises:
        DataError: the file is missing or unreadable, or its columns or format are unknown.
        InteractionsError: the content is no usable set of interactions.
    """
    readers = {
        **dict.fromkeys(SEPARATORS, _read_rows),
        ".parquet": read_parquet,
        ".npz": _read_npz,
    }
    if path.suffix not in readers:
        raise DataError(f"data file is {str(path)!r}; the endings {', '.join(readers)} are allowed")
    if not path.is_file():
        raise DataError(f"data file {str(path)!r} does not exist")
    try:
        return readers[path.suffix](path, min_rating)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"data file {str(path)!r} cannot be read: {error}") from error


def _cells(path: Path) -> Iterator[list[str]]:
    """Yields the cells of each row that is not empty."""
    separator = SEPARATORS[path.suffix]
    with path.open(newline="", encoding="utf-8-sig") as file:
        if separator is not None and len(separator) == 1:
            # only commas have a convention of quoting; elsewhere a quotation mark is a character
            rows = csv.reader(
                file,
                delimiter=separator,
                quoting=csv.QUOTE_MINIMAL if separator == "," else csv.QUOTE_NONE,
            )
            yield from (row for row in rows if row)
        else:
            yield from (line.strip().split(separator) for line in file if line.strip())


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _is_header(first: Sequence[str], second: Sequence[str]) -> bool:
    """Tells a header: it holds a known name, or words where the next row has a number."""
    known = {*USER_NAMES, *ITEM_NAMES, *RATING_NAMES}
    if any(cell.strip().lower().partition(":")[0] in known for cell in first):
        return True
    return any(map(_is_number, second)) and not any(map(_is_number, first))


def _ids(cells: Sequence[str]) -> NDArray[Any]:
    """Returns ids as integers where all are, otherwise as text."""
    labels = np.asarray(cells, dtype=str)
    try:
        integers = labels.astype(np.int64)
    except (ValueError, OverflowError):
        return labels
    return integers if (integers.astype(str) == labels).all() else labels


def _read_rows(path: Path, min_rating: float | None) -> Interactions:
    rows = _cells(path)
    start = list(islice(rows, 2))
    if not start:
        raise DataError(f"data file {str(path)!r} is empty; rows of user and item are needed")
    width = len(start[0])
    if _is_header(start[0], start[-1] if len(start) > 1 else []):
        columns = find_columns(f"data file {str(path)!r}", start[0])
        start = start[1:]
    elif width < 2:
        raise DataError(f"data file {str(path)!r} has {width} column; user and item are needed")
    else:
        names = ("user", "item", "rating", "time")
        columns = {name: position for position, name in enumerate(names[:width])}
    table = []
    for number, row in enumerate(chain(start, rows), start=1):
        if len(row) != width:
            raise DataError(
                f"data file {str(path)!r} has {len(row)} cells in data row {number};"
                f" {width} are needed"
            )
        table.append(row)
    cells = {name: [row[position] for row in table] for name, position in columns.items()}
    for name in ("user", "item"):
        empty = sum(not cell.strip() for cell in cells[name])
        if empty:
            raise DataError(
                f"data file {str(path)!r} has {empty} empty cells in column {name};"
                " none are allowed"
            )
    ratings = times = None
    if "rating" in cells:
        wrong = next((cell for cell in cells["rating"] if not _is_number(cell)), None)
        if wrong is not None:
            raise DataError(f"data file {str(path)!r} has the rating {wrong!r}; a number is needed")
        ratings = np.asarray(cells["rating"], dtype=np.float64)
    if "time" in cells:
        times = _times(path, cells["time"])
    return from_pairs(_ids(cells["user"]), _ids(cells["item"]), ratings, min_rating, times)


def _times(path: Path, cells: Sequence[str]) -> NDArray[Any]:
    """Returns timestamps as numbers where all are, otherwise as ISO 8601 dates."""
    values = np.asarray(cells, dtype=str)
    for dtype in (np.float64, "datetime64[us]"):
        try:
            return values.astype(dtype)
        except ValueError:
            continue
    raise DataError(
        f"data file {str(path)!r} has timestamps such as {cells[0]!r};"
        " numbers or ISO 8601 dates are needed"
    )


def _read_npz(path: Path, min_rating: float | None) -> Interactions:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = dict(archive)
        matrix = sparse.load_npz(path) if "format" in arrays else None
    except (ValueError, TypeError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(
            f"data file {str(path)!r} is not a plain npz archive (pickled objects are refused):"
            f" {error}"
        ) from error
    if matrix is not None:
        return numbered(binary_csr(matrix, min_rating))
    if not {"user", "item"} <= arrays.keys():
        raise DataError(
            f"data file {str(path)!r} holds the arrays {', '.join(sorted(arrays))};"
            " a matrix by scipy.sparse.save_npz or the arrays user and item are needed"
        )
    users, items = arrays["user"], arrays["item"]
    if "shape" in arrays:
        if arrays["shape"].shape != (2,):
            raise DataError(f"data file {str(path)!r} has a shape that is not of two numbers")
        users = check_indices("user", users, arrays["shape"][0])
        items = check_indices("item", items, arrays["shape"][1])
    return from_pairs(users, items, arrays.get("rating"), min_rating)
