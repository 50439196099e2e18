"""Tables of pandas, polars and Arrow: the same interactions whichever holds them."""

import sys

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from cmn.errors import DataError, InteractionsError, MissingDependencyError, ParameterError
from cmn.frames import from_frame, is_frame, to_frame, write_parquet
from cmn.readers import as_interactions, read_interactions

COLUMNS = {
    "USER_ID": ["bob", "ann", "ann", "bob"],
    "item": [7, 7, 3, 7],
    "rating": [4.0, 5.0, 1.0, 5.0],
    "timestamp": [30, 10, 20, 40],
}
KINDS = {
    "pandas": pd.DataFrame,
    "polars": pl.DataFrame,
    "lazy": pl.LazyFrame,
    "arrow": pa.table,
    "categories": lambda columns: pd.DataFrame(columns).astype({"USER_ID": "category"}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_table_gives_the_same_interactions(kind):
    table = KINDS[kind](COLUMNS)
    assert is_frame(table)
    data = as_interactions(table, min_rating=2)
    assert data.user_ids.tolist() == ["ann", "bob"]
    assert data.item_ids.tolist() == [7]
    assert data.times.tolist() == [10, 40]  # a repeated pair counts once, at its last time


def test_dates_become_seconds():
    days = pd.to_datetime(["1970-01-02T00:00:00", "1970-01-01T00:00:10"])
    table = pd.DataFrame({"user": [1, 2], "item": [1, 1], "time": days})
    assert from_frame(table).times.tolist() == [86400.0, 10.0]


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        (pd.DataFrame({"u": [1]}), "the table has the columns u; user and item are needed"),
        (pl.DataFrame({"user": [1, None], "item": [1, 2]}), "1 empty cells in column user"),
        (pa.table({"user": [1], "item": [1], "rating": [None]}), "1 empty cells in column rating"),
    ],
)
def test_bad_tables_are_refused(table, sentence):
    with pytest.raises(DataError, match=sentence):
        from_frame(table)


def test_a_table_without_rows_and_bad_values_are_refused():
    with pytest.raises(InteractionsError, match="0 interactions"):
        from_frame(pd.DataFrame({"user": [], "item": []}))
    with pytest.raises(InteractionsError, match="1 values below zero"):
        from_frame(pl.DataFrame({"user": [1], "item": [1], "rating": [-1.0]}))


@pytest.mark.parametrize(
    ("library", "kind"), [("pandas", pd.DataFrame), ("polars", pl.DataFrame), ("arrow", pa.Table)]
)
def test_tables_go_out_as_they_came_in(library, kind, tmp_path):
    ids = np.array(["a", "b"], dtype=object)
    columns = {"user": ids, "item": np.array([1, 2]), "score": np.array([0.5, 2], np.float32)}
    table = to_frame(columns, library)
    assert isinstance(table, kind)
    assert as_interactions(table).user_ids.tolist() == ["a", "b"]
    write_parquet(tmp_path / "a.parquet", columns)
    assert read_interactions(tmp_path / "a.parquet").item_ids.tolist() == [1, 2]


def test_an_unknown_library_and_one_that_is_missing_are_named(monkeypatch):
    with pytest.raises(ParameterError, match="library is 'dask'; pandas, polars, arrow"):
        to_frame({}, "dask")
    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(MissingDependencyError, match=r"needs polars.*cmn\[frames\]"):
        to_frame({}, "polars")
