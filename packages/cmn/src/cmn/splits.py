"""Splits: leave one interaction out per user, for test and then for validation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from cmn.errors import InteractionsError
from cmn.interactions import HeldOut, binary_csr

if TYPE_CHECKING:
    from cmn.interactions import Dataset

MIN_INTERACTIONS = 3  # one for test, one for validation, one to train on


@dataclass(frozen=True)
class Split:
    """What to learn from, what to choose by, what to report: three disjoint sets of interactions.

    Attributes:
        train: binary CSR (P, Q).
        validation: one interaction of each user with enough of them.
        test: likewise; to be read once, when every choice has been made.
    """

    train: sparse.csr_array
    validation: HeldOut
    test: HeldOut

    def part(self, name: str) -> tuple[HeldOut, sparse.csr_array]:
        """Returns what is held out for `validation` or `test`, and what to mask there."""
        return (self.test, self.known) if name == "test" else (self.validation, self.train)

    @property
    def known(self) -> sparse.csr_array:
        """Train and validation together: what a user is known to have seen at test time."""
        ones = np.ones(self.validation.users.size, dtype=np.float32)
        pairs = (self.validation.users, self.validation.items)
        return binary_csr(self.train + sparse.csr_array((ones, pairs), self.train.shape))


def leave_one_out(
    matrix: sparse.csr_array, generator: np.random.Generator, min_interactions: int = 2
) -> tuple[sparse.csr_array, HeldOut]:
    """Returns the matrix without one random interaction per user, and those interactions.

    Args:
        matrix: binary CSR (P, Q).
        generator: source of the choice.
        min_interactions: users with fewer keep all of theirs and are not held out.

    Raises:
        InteractionsError: no user has enough interactions.
    """
    degrees = np.diff(matrix.indptr)
    users = np.flatnonzero(degrees >= min_interactions)
    if users.size == 0:
        raise InteractionsError(
            f"no user has {min_interactions} interactions (the most is {degrees.max()});"
            " none can be held out"
        )
    positions = matrix.indptr[users] + generator.integers(degrees[users])
    kept = np.ones(matrix.nnz, dtype=bool)
    kept[positions] = False
    rows = np.repeat(np.arange(matrix.shape[0]), degrees)[kept]
    columns = matrix.indices[kept]
    train = sparse.csr_array((matrix.data[kept], (rows, columns)), matrix.shape)
    return train, HeldOut(users.astype(np.int64), matrix.indices[positions].astype(np.int64))


def split_dataset(dataset: Dataset, seed: int) -> Split:
    """Returns a data set's split; one seed always gives the same one.

    The published test set is kept where the data set has one; otherwise one interaction per user
    is held out for test. Validation is one more, cut from what remains.

    Args:
        dataset: the data.
        seed: at least 0.
    """
    matrix = dataset.interactions.matrix
    generator = np.random.default_rng(seed)
    test = dataset.test
    if test is None:
        matrix, test = leave_one_out(matrix, generator, MIN_INTERACTIONS)
    train, validation = leave_one_out(matrix, generator, MIN_INTERACTIONS - 1)
    return Split(train, validation, test)
