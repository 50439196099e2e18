"""Audit: what is odd about a data set and its published test, counted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from cmn.interactions import Dataset


def audit(dataset: Dataset) -> dict[str, float]:
    """Returns counts: sizes, spread, and what of a published test is not what it claims to be.

    `negatives_in_train` are interactions of the training part that a test set offers as negatives;
    `raw_` metrics punish a model for ranking them high, `masked_` ones leave them out.
    """
    matrix = dataset.interactions.matrix
    neighbours, profiles = np.diff(matrix.tocsc().indptr), np.diff(matrix.indptr)
    counts: dict[str, float] = {
        "users": matrix.shape[0],
        "items": matrix.shape[1],
        "interactions": matrix.nnz,
        "density": matrix.nnz / (matrix.shape[0] * matrix.shape[1]),
        "users_without_items": int((profiles == 0).sum()),
        "items_without_users": int((neighbours == 0).sum()),
        "longest_neighbourhood": int(neighbours.max()),
        "mean_neighbourhood": float(neighbours.mean()),
    }
    test = dataset.test
    if test is None:
        return counts
    counts["test_interactions"] = test.users.size
    counts["test_interactions_in_train"] = int((matrix[test.users, test.items] > 0).sum())
    counts["test_items_without_users"] = int((neighbours[test.items] == 0).sum())
    if test.negatives is not None:
        rows = np.repeat(test.users, test.negatives.shape[1])
        dirty = np.asarray(matrix[rows, test.negatives.ravel()] > 0).reshape(test.negatives.shape)
        counts["negatives"] = test.negatives.size
        counts["negatives_in_train"] = int(dirty.sum())
        counts["users_with_negatives_in_train"] = int(np.unique(test.users[dirty.any(1)]).size)
        counts["negatives_without_users"] = int((neighbours[test.negatives] == 0).sum())
    return counts
