"""Pruning keeps the largest, not the row itself, and the lower column of equals."""

import numpy as np
import pytest
from scipy import sparse

from cmn.baselines import nearest
from cmn.baselines.nearest import nearest_rows

SIMILARITY = sparse.csr_array(np.array([[9.0, 2, 2, 1], [0, 9, 0, 3], [1, 2, 9, 3], [0, 0, 0, 9]]))


@pytest.mark.parametrize("rows", [1, 3, 2048])
def test_the_k_largest_of_each_row(rows, monkeypatch):
    monkeypatch.setattr(nearest, "ROWS_AT_A_TIME", rows)

    def kept(neighbours):
        return nearest_rows(SIMILARITY.__getitem__, 4, neighbours).toarray().tolist()

    assert kept(1) == [[0, 2, 0, 0], [0, 0, 0, 3], [0, 0, 0, 3], [0, 0, 0, 0]]
    assert kept(2) == [[0, 2, 2, 0], [0, 0, 0, 3], [0, 2, 0, 3], [0, 0, 0, 0]]
