"""Interactions: a binary users x items matrix in CSR form and the ids behind rows and columns.

Letters: P users, Q items.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from cmn.errors import InteractionsError
from cmn.identifiers import encode

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from cmn.identifiers import Identifiers


SPARSE: Any = (sparse.sparray, sparse.spmatrix)


@dataclass(frozen=True)
class Interactions:
    """A P x Q binary matrix with the ids of its rows and columns.

    Attributes:
        matrix: float32 CSR of shape (P, Q); every stored value is 1.
        user_ids: the P users' own ids, in row order.
        item_ids: the Q items' own ids, in column order.
        times: when each interaction took place, float64 (nnz,) in the order of `matrix.indices`,
            in seconds or any other unit; None where that is not known.
    """

    matrix: sparse.csr_array
    user_ids: NDArray[Any]
    item_ids: NDArray[Any]
    times: NDArray[np.float64] | None = None


@dataclass(frozen=True)
class HeldOut:
    """Held-out interactions: one of each user, or several.

    Attributes:
        users: int64 (n,), row numbers; a user with several held-out items comes several times.
        items: int64 (n,), the held-out columns.
        negatives: int64 (n, k) sampled rivals of each held-out item, or None.
    """

    users: NDArray[np.int64]
    items: NDArray[np.int64]
    negatives: NDArray[np.int64] | None = None


@dataclass(frozen=True)
class Dataset:
    """Interactions and, where one was published, the test set that belongs to them.

    Attributes:
        interactions: all that may be learnt from.
        test: the published one, whose negatives may hold training positives, or None.
    """

    interactions: Interactions
    test: HeldOut | None = None


def binary_csr(matrix: Any, min_rating: float | None = None) -> sparse.csr_array:
    """Returns a sparse matrix as sorted, duplicate-free float32 CSR whose stored values are all 1.

    Explicit zeros are no interactions and are dropped.

    Args:
        matrix: any scipy sparse array or matrix of shape (P, Q), values finite and not negative.
        min_rating: keep only values of at least this.

    Raises:
        InteractionsError: not sparse, not two-dimensional, NaN, negative, or without interactions.
    """
    if not isinstance(matrix, SPARSE):
        kind = type(matrix).__name__
        raise InteractionsError(
            f"interactions is a {kind}; a scipy.sparse array of shape (users, items) is needed"
        )
    if len(matrix.shape) != 2:
        raise InteractionsError(
            f"interactions has shape {matrix.shape}; two dimensions (users, items) are needed"
        )
    if matrix.dtype.kind in "iu":
        matrix = matrix.astype(np.float64)  # sums of repeated entries must not wrap around
    csr = sparse.csr_array(matrix, copy=True)
    check_values("interactions", csr.data)
    try:
        csr.check_format()
    except ValueError as error:
        raise InteractionsError(
            f"interactions is not a valid CSR matrix of shape {csr.shape}: {error}"
        ) from error
    csr.sum_duplicates()
    if min_rating is not None:
        csr.data[csr.data < min_rating] = 0
    csr.eliminate_zeros()
    if csr.nnz == 0:
        raise InteractionsError(
            f"interactions of shape {csr.shape} holds 0 interactions; at least 1 is needed"
        )
    csr.data = np.ones(csr.nnz, dtype=np.float32)
    return csr


def numbered(matrix: sparse.csr_array) -> Interactions:
    """Returns the interactions of a binary CSR (P, Q) whose ids are its row and column numbers."""
    return Interactions(matrix, np.arange(matrix.shape[0]), np.arange(matrix.shape[1]))


def align(interactions: Interactions, items: Identifiers) -> Interactions:
    """Returns interactions with the columns of known items, in their order.

    Raises:
        InteractionsError: some items are unknown, with their number.
    """
    columns = items.numbers(interactions.item_ids)
    matrix = interactions.matrix.tocoo()
    pairs = (matrix.row, columns[matrix.col])
    shape = (matrix.shape[0], len(items))
    return Interactions(
        binary_csr(sparse.csr_array((matrix.data, pairs), shape)),
        interactions.user_ids,
        items.labels,
    )


def check_values(field: str, values: NDArray[Any]) -> None:
    """Refuses ratings that are not finite or negative.

    Raises:
        InteractionsError: with the field's name, the count of bad values and the first of them.
    """
    if not (np.issubdtype(values.dtype, np.number) or values.dtype == np.bool_):
        raise InteractionsError(f"{field} has dtype {values.dtype}; numbers are needed")
    for problem, bad in (
        ("that are NaN or infinite", ~np.isfinite(values)),
        ("below zero", values < 0),
    ):
        if bad.any():
            where = int(np.argmax(bad))
            raise InteractionsError(
                f"{field} has {int(bad.sum())} values {problem} (the first is {values[where]} at"
                f" position {where}); finite values of at least 0 are allowed"
            )


def from_pairs(
    users: ArrayLike,
    items: ArrayLike,
    ratings: ArrayLike | None = None,
    min_rating: float | None = None,
    times: ArrayLike | None = None,
) -> Interactions:
    """Returns the interactions of user-item pairs whose ids may be of any type that can be hashed.

    Rows and columns follow the ids' sorted order; repeated pairs count once, at their last time.

    Args:
        users: n user ids.
        items: n item ids.
        ratings: n finite numbers of at least 0; a rating of 0 is no interaction.
        min_rating: keep only pairs rated at least this; needs `ratings`.
        times: n finite numbers or dates.

    Raises:
        InteractionsError: lengths differ, ratings are NaN or negative, or nothing is left.
    """
    user_ids, rows = encode("users", users)
    item_ids, columns = encode("items", items)
    if rows.shape != columns.shape:
        raise InteractionsError(
            f"users has shape {rows.shape} and items {columns.shape};"
            " two lists of one length are needed"
        )
    moments = None if times is None else _moments(times, rows.size)
    if ratings is None:
        if min_rating is not None:
            raise InteractionsError(
                f"min_rating is {min_rating} but the data has no ratings; leave it out"
            )
    else:
        values = np.asarray(ratings)
        if values.shape != rows.shape:
            raise InteractionsError(
                f"ratings has shape {values.shape}; {rows.shape}, as users, is needed"
            )
        check_values("rating", values)
        kept = values > 0 if min_rating is None else (values >= min_rating) & (values > 0)
        if not kept.all():
            user_ids, rows = _only(user_ids, rows[kept])
            item_ids, columns = _only(item_ids, columns[kept])
            moments = None if moments is None else moments[kept]
    if rows.size == 0:
        limit = "" if min_rating is None else f" with a rating of at least {min_rating}"
        raise InteractionsError(f"the data holds 0 interactions{limit}; at least 1 is needed")
    shape = (user_ids.size, item_ids.size)
    ones = np.ones(rows.size, dtype=np.float32)
    matrix = binary_csr(sparse.csr_array((ones, (rows, columns)), shape))
    if moments is None:
        return Interactions(matrix, user_ids, item_ids)
    order = np.lexsort((moments, columns, rows))
    last = np.ones(order.size, dtype=bool)
    last[:-1] = (np.diff(rows[order]) != 0) | (np.diff(columns[order]) != 0)
    return Interactions(matrix, user_ids, item_ids, moments[order][last])


def _only(ids: NDArray[Any], places: NDArray[np.int64]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Leaves out the ids that no place names any more."""
    used, places = np.unique(places, return_inverse=True)
    return ids[used], places.astype(np.int64, copy=False)


def _moments(times: ArrayLike, size: int) -> NDArray[np.float64]:
    values = np.asarray(times)
    if values.shape != (size,):
        raise InteractionsError(f"times has shape {values.shape}; {(size,)}, as users, is needed")
    if values.dtype.kind == "M":
        values = np.where(np.isnat(values), np.nan, values.astype("datetime64[us]").astype(float))
        values = values / 1e6
    if values.dtype.kind not in "iuf":
        raise InteractionsError(f"times has dtype {values.dtype}; numbers or dates are needed")
    if not np.isfinite(values).all():
        raise InteractionsError(
            f"times has {int((~np.isfinite(values)).sum())} values that are NaN, infinite or"
            " missing; every row needs a time"
        )
    return values.astype(np.float64)


def check_indices(field: str, indices: ArrayLike, size: int) -> NDArray[np.int64]:
    """Returns row or column numbers as an int64 vector, all in [0, size).

    Raises:
        InteractionsError: not integers, not one-dimensional, or out of range.
    """
    values = np.asarray(indices)
    if values.size == 0:
        return np.empty(0, dtype=np.int64)
    if values.ndim != 1 or not np.issubdtype(values.dtype, np.integer):
        raise InteractionsError(
            f"{field} has shape {values.shape} and dtype {values.dtype};"
            " a one-dimensional list of integers is needed"
        )
    bad = (values < 0) | (values >= size)
    if bad.any():
        raise InteractionsError(
            f"{field} has {int(bad.sum())} ids out of range (the first is {values[bad][0]});"
            f" 0 to {size - 1} are allowed"
        )
    return values.astype(np.int64)
