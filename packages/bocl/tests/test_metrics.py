from __future__ import annotations

import math

import numpy as np
import pytest

from bocl.metrics import measure


def test_measures_of_a_matrix_worked_by_hand():
    matrix = np.array([[0.9, 0.3, 0.1], [0.8, 0.95, 0.2], [0.7, 0.9, 0.85]])
    found = measure(matrix, [10, 10, 10])
    assert found.accuracy == pytest.approx((0.7 + 0.9 + 0.85) / 3)
    assert found.backward == pytest.approx((0.7 - 0.9 + 0.9 - 0.95) / 2)
    assert found.forward == pytest.approx((0.3 + 0.2) / 2 - 0.1)
    assert found.forgetting == pytest.approx((0.2 + 0.05) / 2)


def test_one_task_forgets_nothing():
    found = measure(np.array([[0.5]]))
    assert (found.accuracy, found.backward, found.forgetting) == (0.5, 0.0, 0.0)
    assert math.isnan(found.forward)
