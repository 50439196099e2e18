"""Interactions: a binary users x items matrix in CSR form and the ids behind rows and columns.

Letters: P users, Q items.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from cmn.errors import InteractionsError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


SPARSE: Any = (sparse.sparray, sparse.spmatrix)


@dataclass(frozen=True)
class Interactions:
    """A P x Q binary matrix with the ids of its rows and columns.

    Attributes:
        matrix: float32 CSR of shape (P, Q); every stored value is 1.
        user_ids: the P users' own ids, in row order.
        item_ids: the Q items' own ids, in column order.
    """

    matrix: sparse.csr_array
    user_ids: NDArray[Any]
    item_ids: NDArray[Any]


@dataclass(frozen=True)
class HeldOut:
    """One held-out item for each of n users.

    Attributes:
        users: int64 (n,), row numbers, each at most once.
        items: int64 (n,), the held-out column of each user.
        negatives: int64 (n, k) sampled rivals of the published protocol, or None.
    """

    users: NDArray[np.int64]
    items: NDArray[np.int64]
    negatives: NDArray[np.int64] | None = None


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
) -> Interactions:
    """Returns the interactions of user-item pairs whose ids may be of any sortable type.

    Rows and columns follow the ids' sorted order; repeated pairs count once.

    Args:
        users: n user ids.
        items: n item ids.
        ratings: n finite numbers of at least 0; a rating of 0 is no interaction.
        min_rating: keep only pairs rated at least this; needs `ratings`.

    Raises:
        InteractionsError: lengths differ, ratings are NaN or negative, or nothing is left.
    """
    user_labels, item_labels = np.asarray(users), np.asarray(items)
    if user_labels.ndim != 1 or user_labels.shape != item_labels.shape:
        raise InteractionsError(
            f"users has shape {user_labels.shape} and items {item_labels.shape};"
            " two lists of one length are needed"
        )
    for field, labels in (("users", user_labels), ("items", item_labels)):
        if np.issubdtype(labels.dtype, np.floating) and not np.isfinite(labels).all():
            raise InteractionsError(
                f"{field} has ids that are NaN or infinite; every row needs an id"
            )
    if ratings is None:
        if min_rating is not None:
            raise InteractionsError(
                f"min_rating is {min_rating} but the data has no ratings; leave it out"
            )
    else:
        values = np.asarray(ratings)
        if values.shape != user_labels.shape:
            raise InteractionsError(
                f"ratings has shape {values.shape}; {user_labels.shape}, as users, is needed"
            )
        check_values("rating", values)
        kept = values > 0 if min_rating is None else (values >= min_rating) & (values > 0)
        user_labels, item_labels = user_labels[kept], item_labels[kept]
    if user_labels.size == 0:
        limit = "" if min_rating is None else f" with a rating of at least {min_rating}"
        raise InteractionsError(f"the data holds 0 interactions{limit}; at least 1 is needed")
    user_ids, rows = np.unique(user_labels, return_inverse=True)
    item_ids, columns = np.unique(item_labels, return_inverse=True)
    shape = (user_ids.size, item_ids.size)
    ones = np.ones(rows.size, dtype=np.float32)
    return Interactions(
        binary_csr(sparse.csr_array((ones, (rows, columns)), shape)), user_ids, item_ids
    )


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
