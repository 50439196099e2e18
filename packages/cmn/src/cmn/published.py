"""Published splits: files that bring their test set along, as other projects lay them out.

NCF's `.train.rating`, `.test.rating`, `.test.negative`; LightGCN's `train.txt` and `test.txt`; the
`.npz` archives of CMN's authors.
"""

from __future__ import annotations

import io
import pickle
import re
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from cmn.errors import DataError
from cmn.interactions import Dataset, HeldOut, binary_csr, numbered

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

NCF_TRAIN = ".train.rating"


_MOST = 1_000_000_000  # each number up to the largest id is a row or a column


def _dataset(
    users: NDArray[np.int64], items: NDArray[np.int64], test: HeldOut, source: str
) -> Dataset:
    """Joins training pairs and a test set whose ids are row and column numbers already."""
    rivals = np.empty(0, np.int64) if test.negatives is None else test.negatives.ravel()
    every = (np.concatenate([users, test.users]), np.concatenate([items, test.items, rivals]))
    if min(every[0].min(initial=0), every[1].min(initial=0)) < 0:
        raise DataError(f"{source} has ids below zero; row and column numbers are needed")
    shape = (int(every[0].max(initial=0)) + 1, int(every[1].max(initial=0)) + 1)
    if max(shape) > _MOST:
        raise DataError(
            f"{source} has the id {max(shape) - 1}; numbers below {_MOST:,} are allowed"
        )
    ones = np.ones(users.size, np.float32)
    matrix = binary_csr(sparse.csr_array((ones, (users, items)), shape))
    return Dataset(numbered(matrix), test)


def read_ncf(path: Path) -> Dataset:
    """Returns a set of the NCF repository from its `NAME.train.rating`.

    `NAME.test.rating` beside it holds one test item of each user, `NAME.test.negative` its rivals.

    Raises:
        DataError: one of the three is missing or malformed.
    """
    name = path.name.removesuffix(NCF_TRAIN)
    train, test = path, path.with_name(f"{name}.test.rating")
    pairs, held_out = (_first_two(file) for file in (train, test))
    negatives = _ncf_negatives(path.with_name(f"{name}.test.negative"), held_out)
    rivals = HeldOut(held_out[:, 0], held_out[:, 1], negatives)
    return _dataset(pairs[:, 0], pairs[:, 1], rivals, f"data file {str(path)!r}")


def _lines(path: Path) -> list[str]:
    if not path.is_file():
        raise DataError(f"data file {str(path)!r} does not exist")
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise DataError(f"data file {str(path)!r} cannot be read: {error}") from error
    return [line for line in lines if line.strip()]


def _first_two(path: Path) -> NDArray[np.int64]:
    """Returns the first two columns of a file with tabs, (n, 2)."""
    rows = [line.split("\t")[:2] for line in _lines(path)]
    try:
        return np.array(rows, dtype=np.int64).reshape(-1, 2)
    except (ValueError, OverflowError) as error:
        raise DataError(
            f"data file {str(path)!r} needs a user's and an item's number in each line: {error}"
        ) from error


def _ncf_negatives(path: Path, held_out: NDArray[np.int64]) -> NDArray[np.int64]:
    lines = _lines(path)
    rows = [re.findall(r"-?\d+", line) for line in lines]
    if len({len(row) for row in rows}) != 1 or len(rows) != len(held_out):
        raise DataError(
            f"data file {str(path)!r} has {len(rows)} lines; one (user,item) with equally many"
            f" negatives for each of {len(held_out)} test items is needed"
        )
    try:
        table = np.array(rows, dtype=np.int64)
    except OverflowError as error:
        raise DataError(f"data file {str(path)!r} has a number beyond 64 bits") from error
    different = (table[:, :2] != held_out).any(axis=1)
    if different.any():
        line = int(np.argmax(different))
        raise DataError(
            f"data file {str(path)!r} names {tuple(table[line, :2].tolist())} in line {line + 1};"
            f" {tuple(held_out[line].tolist())} of the test ratings is needed"
        )
    return table[:, 2:]


def read_lightgcn(folder: Path) -> Dataset:
    """Returns a set in LightGCN's layout: `train.txt` and `test.txt`, each line a user, its items.

    Raises:
        DataError: a file is missing or malformed.
    """
    (users, items), (test_users, test_items) = (
        _adjacency(folder / name) for name in ("train.txt", "test.txt")
    )
    return _dataset(users, items, HeldOut(test_users, test_items), f"data folder {str(folder)!r}")


def _adjacency(path: Path) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    try:
        rows = [np.array(line.split(), dtype=np.int64) for line in _lines(path)]
    except (ValueError, OverflowError) as error:
        raise DataError(
            f"data file {str(path)!r} needs lines of numbers, a user and its items: {error}"
        ) from error
    users = [np.full(row.size - 1, row[0]) for row in rows]
    empty = [np.empty(0, np.int64)]
    return np.concatenate([*users, *empty]), np.concatenate([*(row[1:] for row in rows), *empty])


def read_reference(path: Path) -> Dataset:
    """Returns a set from an archive of CMN's authors: training pairs, and a pickled test set.

    Raises:
        DataError: the archive is not what it should be, or wants to run something.
    """
    try:
        pairs, held_out = _reference_arrays(path)
        users = np.fromiter(held_out, np.int64, len(held_out))
        items = np.array([positive for positive, _ in held_out.values()], np.int64)
        negatives = np.array([rivals for _, rivals in held_out.values()], np.int64)
    except (
        KeyError,
        TypeError,
        ValueError,
        EOFError,
        pickle.UnpicklingError,
        zipfile.BadZipFile,
    ) as error:
        raise DataError(f"{str(path)!r} is not the reference's archive: {error}") from error
    test = HeldOut(users, items, negatives)
    return _dataset(pairs[:, 0], pairs[:, 1], test, f"data file {str(path)!r}")


def is_reference(path: Path) -> bool:
    """Tells an archive of CMN's authors by the names of its members."""
    try:
        with zipfile.ZipFile(path) as archive:
            return {"train_data.npy", "test_data.npy"} <= set(archive.namelist())
    except (OSError, zipfile.BadZipFile):
        return False


class _PlainUnpickler(pickle.Unpickler):
    """Rebuilds dicts, lists, tuples, numbers and arrays of numbers; refuses everything else."""

    _ALLOWED = frozenset(
        {
            ("_codecs", "encode"),
            ("numpy", "dtype"),
            ("numpy", "ndarray"),
            ("numpy._core.multiarray", "_reconstruct"),
            ("numpy._core.multiarray", "scalar"),
        }
    )

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        home = module_name.replace("numpy.core.", "numpy._core.")  # the name before numpy 2
        if (home, global_name) not in self._ALLOWED:
            raise pickle.UnpicklingError(f"it wants to load {module_name}.{global_name}")
        return super().find_class(home, global_name)


def _reference_arrays(path: Path) -> tuple[NDArray[np.int64], dict[int, tuple[int, list[int]]]]:
    """Returns the training pairs (n, 2) and {user: (positive, negatives)}."""
    with zipfile.ZipFile(path) as archive:
        pairs = np.load(io.BytesIO(archive.read("train_data.npy")), allow_pickle=False)
        member = io.BytesIO(archive.read("test_data.npy"))
    version = np.lib.format.read_magic(member)
    reader = (
        np.lib.format.read_array_header_1_0
        if version == (1, 0)
        else np.lib.format.read_array_header_2_0
    )
    reader(member)
    held_out = _PlainUnpickler(member, encoding="latin1").load()
    return pairs.astype(np.int64), held_out.item()
