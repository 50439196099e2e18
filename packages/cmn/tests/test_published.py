"""Published splits in their makers' layouts, and what is said of damaged ones."""

import numpy as np
import pytest

from cmn.datasets import load_dataset
from cmn.errors import DataError


@pytest.fixture
def ncf(tmp_path):
    """Two users of NCF's three files; user 1 comes first in the test files."""
    (tmp_path / "x.train.rating").write_text("0\t3\t5\t881\n0\t1\t4\t882\n1\t0\t3\t883\n")
    (tmp_path / "x.test.rating").write_text("1\t2\t4\t9\n0\t0\t5\t9\n")
    (tmp_path / "x.test.negative").write_text("(1,2)\t3\t4\n(0,0)\t2\t4\n")
    return tmp_path / "x.train.rating"


def test_ncfs_three_files(ncf):
    data = load_dataset(str(ncf))
    assert data.interactions.matrix.toarray().tolist() == [[0, 1, 0, 1, 0], [1, 0, 0, 0, 0]]
    assert data.test.users.tolist() == [1, 0]
    assert data.test.items.tolist() == [2, 0]
    assert data.test.negatives.tolist() == [[3, 4], [2, 4]]


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("x.test.negative", None, r"x\.test\.negative' does not exist"),
        ("x.test.negative", "(1,2)\t3\t4\n", "has 1 lines; one .user,item. with equally many"),
        ("x.test.negative", "(1,2)\t3\t4\n(0,0)\t2\n", "with equally many"),
        ("x.test.negative", "(1,2)\t3\n(0,4)\t2\n", r"names \(0, 4\) in line 2; \(0, 0\)"),
        ("x.test.rating", "1\ttwo\n", "user's and an item's number in each line"),
        ("x.train.rating", "-1\t2\n", "ids below zero"),
        ("x.train.rating", f"{'9' * 20}\t2\n", "user's and an item's number in each line"),
        ("x.train.rating", "999999999999\t2\n", "numbers below 1,000,000,000 are allowed"),
        ("x.test.negative", f"(1,2)\t3\t4\n(0,0)\t2\t{'9' * 20}\n", "a number beyond 64 bits"),
        ("x.train.rating", "\n", "0 interactions"),
    ],
)
def test_damaged_ncf_files_are_refused(ncf, name, text, sentence):
    path = ncf.with_name(name)
    path.unlink()
    if text is not None:
        path.write_text(text)
    with pytest.raises(ValueError, match=sentence):
        load_dataset(str(ncf))


def test_lightgcns_folder(tmp_path):
    (tmp_path / "train.txt").write_text("0 2 1\n1 0\n2\n")
    (tmp_path / "test.txt").write_text("0 0 3\n1 2\n")
    data = load_dataset(str(tmp_path))
    assert data.interactions.matrix.toarray().tolist() == [[0, 1, 1, 0], [1, 0, 0, 0]]
    assert data.test.users.tolist() == [0, 0, 1]
    assert data.test.items.tolist() == [0, 3, 2]
    (tmp_path / "test.txt").write_text("0 x\n")
    with pytest.raises(DataError, match="lines of numbers, a user and its items"):
        load_dataset(str(tmp_path))
    (tmp_path / "train.txt").unlink()
    with pytest.raises(DataError, match=r"train\.txt' does not exist"):
        load_dataset(str(tmp_path))


def test_the_references_archive_is_known_by_its_content(tmp_path):
    path = tmp_path / "any.npz"
    np.savez(path, train_data=np.array([[0, 0]]), test_data={0: (1, [2])})
    assert load_dataset(str(path)).test.negatives.tolist() == [[2]]


@pytest.mark.parametrize("layout", ["ncf", "folder", "npz"])
def test_ratings_cannot_be_asked_for_where_there_are_none(layout, ncf, tmp_path):
    (tmp_path / "train.txt").write_text("0 1\n")
    np.savez(tmp_path / "a.npz", train_data=np.array([[0, 0]]), test_data={0: (1, [2])})
    path = {"ncf": ncf, "folder": tmp_path, "npz": tmp_path / "a.npz"}[layout]
    with pytest.raises(DataError, match="split without ratings; leave it out"):
        load_dataset(str(path), min_rating=3)
