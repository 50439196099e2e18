"""Splits: what to learn from, what to choose by, what to report; at random or by time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from cmn.errors import InteractionsError, ParameterError
from cmn.interactions import HeldOut, binary_csr

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cmn.interactions import Dataset, Interactions

SPLITS = ("random", "latest", "time")
TIME_SHARE = 0.1  # of all interactions, for test and for validation each
MIN_INTERACTIONS = 3  # one for test, one for validation, one to train on


@dataclass(frozen=True)
class Split:
    """What to learn from, what to choose by, what to report: three disjoint sets of interactions.

    Attributes:
        train: binary CSR (P, Q).
        validation: held-out interactions.
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


def latest_out(
    interactions: Interactions, min_interactions: int = 2
) -> tuple[Interactions, HeldOut]:
    """Returns interactions without the latest one of each user, and those.

    Of several at the same time the one with the highest column number is taken.

    Args:
        interactions: with times.
        min_interactions: users with fewer keep all of theirs and are not held out.

    Raises:
        InteractionsError: there are no times, or no user has enough interactions.
    """
    times, degrees = _times(interactions), np.diff(interactions.matrix.indptr)
    rows = np.repeat(np.arange(degrees.size), degrees)
    order = np.lexsort((times, rows))
    users = np.flatnonzero(degrees >= min_interactions)
    if users.size == 0:
        raise InteractionsError(
            f"no user has {min_interactions} interactions (the most is {degrees.max()});"
            " none can be held out"
        )
    return _cut(interactions, order[interactions.matrix.indptr[users + 1] - 1])


def since(interactions: Interactions, moment: float) -> tuple[Interactions, HeldOut]:
    """Returns the interactions before a moment, and those from it on, of users with earlier ones.

    Later interactions of users without earlier ones are left out: nothing is known of them yet.

    Args:
        interactions: with times.
        moment: in the unit of the times.

    Raises:
        InteractionsError: there are no times, or one of the two parts is empty.
    """
    times = _times(interactions)
    later = np.flatnonzero(times >= moment)
    if later.size in {0, times.size}:
        raise InteractionsError(
            f"moment is {moment}; one between the first, {times.min()}, and the last,"
            f" {times.max()}, is needed to have something on both sides"
        )
    before, after = _cut(interactions, later)
    known = np.diff(before.matrix.indptr)[after.users] > 0
    if not known.any():
        raise InteractionsError(f"no user has interactions both before and after {moment}")
    return before, HeldOut(after.users[known], after.items[known])


def _times(interactions: Interactions) -> NDArray[np.float64]:
    if interactions.times is None:
        raise InteractionsError(
            "the interactions have no times; a split by time needs a column timestamp"
        )
    return interactions.times


def _cut(interactions: Interactions, positions: NDArray[np.int64]) -> tuple[Interactions, HeldOut]:
    """Takes the interactions at positions among the stored ones out."""
    matrix = interactions.matrix
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    held_out = HeldOut(rows[positions].astype(np.int64), matrix.indices[positions].astype(np.int64))
    kept = np.ones(matrix.nnz, dtype=bool)
    kept[positions] = False
    pairs = (rows[kept], matrix.indices[kept])
    rest = sparse.csr_array((matrix.data[kept], pairs), matrix.shape)
    times = None if interactions.times is None else interactions.times[kept]
    return replace(interactions, matrix=rest, times=times), held_out


def split_dataset(dataset: Dataset, seed: int = 0, by: str = "random") -> Split:
    """Returns a data set's split; the same arguments always give the same one.

    The published test set is kept where the data set has one; otherwise a part is held out for
    test. Validation is cut from what remains in the same way.

    Args:
        dataset: the data.
        seed: at least 0; of `random` alone.
        by: `random`, one interaction of each user; `latest`, the last one of each user; `time`,
            the last tenth of all interactions, of users with earlier ones.

    Raises:
        InteractionsError: there is too little to hold out, or times are needed and not there.
        ParameterError: an unknown way to split.
    """
    if by not in SPLITS:
        raise ParameterError(f"split_by is {by!r}; {', '.join(SPLITS)} are allowed")
    generator = np.random.default_rng(seed)

    def hold_out(rest: Interactions, enough: int, share: float) -> tuple[Interactions, HeldOut]:
        if by == "random":
            matrix, held_out = leave_one_out(rest.matrix, generator, enough)
            return replace(rest, matrix=matrix, times=None), held_out
        if by == "latest":
            return latest_out(rest, enough)
        return since(rest, float(np.quantile(_times(rest), 1 - share)))

    rest, test = dataset.interactions, dataset.test
    if test is None:
        rest, test = hold_out(rest, MIN_INTERACTIONS, TIME_SHARE)
    rest, validation = hold_out(rest, MIN_INTERACTIONS - 1, TIME_SHARE / (1 - TIME_SHARE))
    return Split(rest.matrix, validation, test)


def with_rivals(
    held_out: HeldOut, seen: sparse.csr_array, n: int = 100, by: str = "uniform", seed: int = 0
) -> HeldOut:
    """Returns held-out interactions with sampled rivals, as the NCF and CMN papers rank them.

    Rivals are items that the user has not interacted with, without repetition.

    Args:
        held_out: what is held out.
        seen: binary CSR (P, Q) of all other known interactions.
        n: rivals of each held-out item.
        by: `uniform` over items, or `popularity`: in proportion to their users in `seen`.
        seed: of the draw.

    Raises:
        ParameterError: an unknown way to draw, or a user has fewer than n items to draw from.
    """
    if by not in {"uniform", "popularity"}:
        raise ParameterError(f"rivals are drawn by {by!r}; uniform, popularity are allowed")
    if n > seen.shape[1]:
        raise ParameterError(f"n is {n}; there are {seen.shape[1]} items in all to draw from")
    weights = np.ones(seen.shape[1])
    if by == "popularity":
        weights = np.bincount(seen.indices, minlength=seen.shape[1]).astype(np.float64)
    # the n smallest of exponential variables over weights are a draw without repetition
    rates = np.divide(1, weights, out=np.full(weights.size, np.inf), where=weights > 0)
    generator = np.random.default_rng(seed)
    mine: dict[int, list[int]] = {}
    for user, item in zip(held_out.users.tolist(), held_out.items.tolist(), strict=True):
        mine.setdefault(user, []).append(item)
    rivals = np.empty((held_out.users.size, n), dtype=np.int64)
    for row, user in enumerate(held_out.users.tolist()):
        keys = generator.exponential(size=rates.size) * rates
        keys[seen.indices[seen.indptr[user] : seen.indptr[user + 1]]] = np.inf
        keys[mine[user]] = np.inf
        free = int(np.isfinite(keys).sum())
        if free < n:
            raise ParameterError(f"rivals is {n}; a user has only {free} items to draw from")
        rivals[row] = np.argpartition(keys, n - 1)[:n]
    return replace(held_out, negatives=rivals)
