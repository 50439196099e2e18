"""The audit finds what the reference found in citeulike-a, and counts by hand."""

import os

import numpy as np
import pytest
from scipy import sparse

from cmn.audit import audit
from cmn.datasets import load_dataset
from cmn.interactions import Dataset, HeldOut, numbered


def test_counts_by_hand():
    matrix = sparse.csr_array(np.array([[1, 1, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0]], np.float32))
    test = HeldOut(np.array([0, 1]), np.array([2, 1]), np.array([[1, 0], [2, 3]]))
    counts = audit(Dataset(numbered(matrix), test))
    assert counts["density"] == 0.25
    assert (counts["users_without_items"], counts["items_without_users"]) == (1, 2)
    assert counts["longest_neighbourhood"] == 2
    assert counts["test_interactions_in_train"] == 1
    assert counts["test_items_without_users"] == 1
    assert counts["negatives_in_train"] == 2
    assert counts["users_with_negatives_in_train"] == 1
    assert counts["negatives_without_users"] == 2
    assert "negatives" not in audit(Dataset(numbered(matrix)))


@pytest.mark.skipif("CMN_DATA" not in os.environ, reason="CMN_DATA names no folder of data")
def test_citeulike_as_dirty_negatives_are_found():
    counts = audit(load_dataset("citeulike-a"))
    assert counts["negatives_in_train"] == 1115
    assert counts["users_with_negatives_in_train"] == 924
    assert counts["test_items_without_users"] == 8
    assert counts["negatives_without_users"] == 268
