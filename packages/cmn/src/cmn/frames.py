"""Frames: pandas, polars and Arrow tables in and out, by narwhals, and parquet files.

Rows of a table are interactions: columns user and item by name, perhaps rating and timestamp.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

import narwhals as nw

from cmn.errors import DataError, MissingDependencyError, ParameterError
from cmn.interactions import Interactions, from_pairs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

USER_NAMES = ("user", "user_id", "userid")
ITEM_NAMES = ("item", "item_id", "itemid", "movieid")
RATING_NAMES = ("rating",)
TIME_NAMES = ("timestamp", "time", "date")
LIBRARIES: dict[str, Literal["pandas", "polars", "pyarrow"]] = {
    "pandas": "pandas",
    "polars": "polars",
    "arrow": "pyarrow",
}


def is_frame(table: object) -> bool:
    """Tells a table of pandas, polars, Arrow or another library that narwhals knows."""
    known: bool = nw.dependencies.is_into_dataframe(table)
    return known or isinstance(nw.from_native(table, pass_through=True), nw.LazyFrame)


def find_columns(source: str, columns: Sequence[str]) -> dict[str, int]:
    """Returns the positions of user, item and, where there are any, rating and timestamp.

    Upper and lower case are the same; a type after a colon, as RecBole writes it, does not count.

    Args:
        source: what to call the table in an error.
        columns: its column names.

    Raises:
        DataError: there is no user or no item.
    """
    plain = [str(column).strip().lower().partition(":")[0] for column in columns]
    names = {"user": USER_NAMES, "item": ITEM_NAMES, "rating": RATING_NAMES, "time": TIME_NAMES}
    found = {
        meaning: next(plain.index(name) for name in allowed if name in plain)
        for meaning, allowed in names.items()
        if any(name in plain for name in allowed)
    }
    if not {"user", "item"} <= found.keys():
        raise DataError(
            f"{source} has the columns {', '.join(map(str, columns))};"
            " user and item are needed, rating and timestamp allowed"
        )
    return found


def from_frame(
    table: Any, min_rating: float | None = None, source: str = "the table"
) -> Interactions:
    """Returns the interactions in a table's rows.

    Args:
        table: of pandas, polars (lazy ones are collected) or Arrow.
        min_rating: keep only rows rated at least this.
        source: what to call the table in an error.

    Raises:
        DataError: columns are missing or have empty cells.
        InteractionsError: the content is no usable set of interactions.
    """
    frame = nw.from_native(table)
    frame = frame.collect() if isinstance(frame, nw.LazyFrame) else frame
    columns = {}
    for meaning, position in find_columns(source, frame.columns).items():
        column = frame[frame.columns[position]]
        empty = int(column.null_count())
        if empty:
            raise DataError(
                f"{source} has {empty} empty cells in column {column.name}; none are allowed"
            )
        columns[meaning] = column.to_numpy()
    return from_pairs(
        columns["user"], columns["item"], columns.get("rating"), min_rating, columns.get("time")
    )


def to_frame(columns: Mapping[str, NDArray[Any]], library: str) -> Any:
    """Returns columns (n,) as a table of `pandas`, `polars` or `arrow`.

    Raises:
        ParameterError: another library.
        MissingDependencyError: it is not installed.
    """
    if library not in LIBRARIES:
        raise ParameterError(f"library is {library!r}; {', '.join(LIBRARIES)} are allowed")
    _require(LIBRARIES[library], f"a table of {library}")
    plain = {
        name: values.tolist() if values.dtype == object else values
        for name, values in columns.items()
    }
    return nw.from_dict(plain, backend=LIBRARIES[library]).to_native()


def read_parquet(path: Path, min_rating: float | None = None) -> Interactions:
    """Returns the interactions in a parquet file.

    Raises:
        DataError: it is no parquet file, or columns are missing or have empty cells.
        MissingDependencyError: pyarrow is not installed.
    """
    pyarrow, parquet = _require("pyarrow", "reading parquet"), import_module("pyarrow.parquet")
    source = f"data file {str(path)!r}"
    try:
        names = parquet.read_schema(path).names
        wanted = [names[position] for position in find_columns(source, names).values()]
        table = parquet.read_table(path, columns=wanted)
    except pyarrow.ArrowInvalid as error:
        raise DataError(f"{source} is not a parquet file: {error}") from error
    return from_frame(table, min_rating, source)


def write_parquet(path: Path, columns: Mapping[str, NDArray[Any]]) -> None:
    """Writes columns (n,) to a parquet file.

    Raises:
        MissingDependencyError: pyarrow is not installed.
    """
    _require("pyarrow", "writing parquet")
    import_module("pyarrow.parquet").write_table(to_frame(columns, "arrow"), path)


def _require(library: str, purpose: str) -> Any:
    try:
        return import_module(library)
    except ImportError as error:
        raise MissingDependencyError(
            f"{purpose} needs {library}, which the extra cmn[frames] brings;"
            f" install it with: pip install {library}"
        ) from error
