"""Files in, interactions out; bad files give one sentence."""

import numpy as np
import pytest
from scipy import sparse

from cmn.errors import CMNError, DataError, InteractionsError
from cmn.readers import read_interactions


@pytest.fixture
def written(tmp_path):
    def write(name, text):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


def pairs(data):
    rows, columns = data.matrix.nonzero()
    return sorted(zip(data.user_ids[rows].tolist(), data.item_ids[columns].tolist(), strict=True))


def test_csv_columns_are_found_by_name_in_any_order(written):
    path = written("a.csv", "timestamp,Item,title,USER\n9,x,T,ann\n9,y,T,bob\n")
    assert pairs(read_interactions(path)) == [("ann", "x"), ("bob", "y")]


def test_csv_without_a_header_is_user_item_rating(written):
    path = written("a.csv", "1,10,5\n2,20,1\n\n2,30,4\n")
    assert pairs(read_interactions(path, min_rating=4)) == [(1, 10), (2, 30)]


def test_csv_without_a_header_may_be_two_columns_of_words(written):
    assert pairs(read_interactions(written("a.csv", "ann,x\nbob,y\n"))) == [
        ("ann", "x"),
        ("bob", "y"),
    ]


def test_ids_with_leading_zeros_stay_text(written):
    assert pairs(read_interactions(written("a.csv", "user,item\n01,1\n1,1\n"))) == [
        ("01", 1),
        ("1", 1),
    ]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "is empty"),
        ("person,film\n1,2\n", "has the columns person, film; user and item are needed"),
        ("user,rating\n1,2\n", "user and item are needed"),
        ("1\n2\n", "has 1 column"),
        ("user,item\n1,2\n1\n", "1 cells in data row 2; 2 are needed"),
        ("user,item,rating\n1,2,good\n", "has the rating 'good'; a number"),
        ("user,item,rating\n1,2,nan\n", "NaN"),
        ("user,item,rating\n1,2,-1\n", "below zero"),
        ("user,item\n", "0 interactions"),
        ("user,item\n,1\n2, \n3,4\n,5\n", "has 2 empty cells in column user"),
        ("user,item\n1, \n", "has 1 empty cells in column item"),
    ],
)
def test_bad_csv_is_refused(written, text, sentence):
    with pytest.raises(CMNError, match=sentence):
        read_interactions(written("a.csv", text))


def test_quotation_marks_between_tabs_are_characters(written):
    text = '1\t"Heroes\n2\tb\n3\tEmma"\n2\tc\n'
    assert pairs(read_interactions(written("a.tsv", text))) == [
        (1, '"Heroes'),
        (2, "b"),
        (2, "c"),
        (3, 'Emma"'),
    ]


def test_a_missing_file_and_an_unknown_ending_are_refused(tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        read_interactions(tmp_path / "none.csv")
    with pytest.raises(DataError, match=r"\.csv, \.tsv, .*\.npz are allowed"):
        read_interactions(tmp_path / "none.xlsx")


def test_parquet_columns_are_found_by_name(tmp_path):
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "a.parquet"
    table = {"rating": [5.0, 1.0], "item_id": ["x", "y"], "user_id": [7, 8]}
    parquet.write_table(arrow.table(table), path)
    assert pairs(read_interactions(path, min_rating=3)) == [(7, "x")]


def test_bad_parquet_is_refused(tmp_path):
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "a.parquet"
    parquet.write_table(arrow.table({"user": [1, None], "item": [1, 2]}), path)
    with pytest.raises(DataError, match="1 empty cells in column user"):
        read_interactions(path)
    parquet.write_table(arrow.table({"u": [1]}), path)
    with pytest.raises(DataError, match="has the columns u;"):
        read_interactions(path)
    path.write_bytes(b"nonsense")
    with pytest.raises(DataError, match="not a parquet file"):
        read_interactions(path)


def test_npz_holds_a_sparse_matrix_or_arrays(tmp_path):
    path = tmp_path / "a.npz"
    matrix = sparse.csr_array(np.array([[0, 3, 5], [0, 0, 0], [4, 0, 0]]))
    sparse.save_npz(path, matrix)
    assert pairs(read_interactions(path, min_rating=4)) == [(0, 2), (2, 0)]
    assert read_interactions(path).matrix.shape == (3, 3)
    np.savez(path, user=np.array(["a", "b"]), item=[4, 9])
    assert pairs(read_interactions(path)) == [("a", 4), ("b", 9)]
    np.savez(path, user=[0, 1], item=[2, 0], rating=[1.0, 5.0], shape=[4, 5])
    data = read_interactions(path, min_rating=2)
    assert pairs(data) == [(1, 0)]


def test_bad_npz_is_refused(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, user=[0, 9], item=[1, 1], shape=[2, 2])
    with pytest.raises(InteractionsError, match=r"user has 1 ids out of range.*0 to 1 are allowed"):
        read_interactions(path)
    np.savez(path, user=[0], item=[1], shape=3)
    with pytest.raises(DataError, match="has a shape that is not of two numbers"):
        read_interactions(path)
    with path.open("wb") as file:
        np.save(file, [0])
    with pytest.raises(DataError, match="is not a plain npz archive"):
        read_interactions(path)
    np.savez(path, x=[0])
    with pytest.raises(DataError, match="holds the arrays x;"):
        read_interactions(path)
    np.savez(path, user=np.array([{}], dtype=object), item=[1])
    with pytest.raises(DataError, match="pickled objects are refused"):
        read_interactions(path)
    sparse.save_npz(path, sparse.csr_array(np.array([[1.0, np.nan]])))
    with pytest.raises(InteractionsError, match="NaN"):
        read_interactions(path)
    np.savez(path, format=np.array(b"csr"), x=[0])
    with pytest.raises(DataError, match="not a plain npz"):
        read_interactions(path)
    path.write_bytes(b"PK nonsense")
    with pytest.raises(DataError, match="not a plain npz"):
        read_interactions(path)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.inter", "user_id:token\titem_id:token\trating:float\ttimestamp:float\n1\t20\t5\t9\n"),
        ("a.tsv", "user\titem\trating\ttime\n1\t20\t5\t9\n"),
        ("a.rating", "1\t20\t5\t9\n"),
        ("u.data", "1\t20\t5\t9\n"),
        ("ratings.dat", "1::20::5::9\n"),
        ("ratings_data.txt", "1 20  5 9\n\n"),
        ("ratings.csv", "userId,movieId,rating,timestamp\n1,20,5.0,1970-01-01T00:00:09\n"),
    ],
)
def test_the_usual_layouts_are_known_by_their_endings(written, name, text):
    data = read_interactions(written(name, text))
    assert pairs(data) == [(1, 20)]
    assert data.times.tolist() == [9]


def test_timestamps_that_are_neither_numbers_nor_dates_are_refused(written):
    with pytest.raises(DataError, match="timestamps such as 'noon'; numbers or ISO 8601"):
        read_interactions(written("a.tsv", "user\titem\ttime\n1\t2\tnoon\n"))
