import numpy as np
import pytest
from scipy.optimize import minimize

from sigopt_orchestrate.optimizer.ascent import ascend


def _hills(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rosenbrock's valley upside down in three dimensions, its top at .5, and its gradient."""
    Z = 2 * X
    a, b = Z[:, :-1], Z[:, 1:]
    value = -((1 - a) ** 2 + 20 * (b - a * a) ** 2).sum(1)
    gradient = np.zeros_like(X)
    gradient[:, :-1] += 2 * (1 - a) + 80 * a * (b - a * a)
    gradient[:, 1:] -= 40 * (b - a * a)
    return value, 2 * gradient


def test_climbs_end_where_scipys_do() -> None:
    starts = np.random.default_rng(0).random((8, 3))
    ends, values = ascend(_hills, starts, np.ones(3, dtype=bool), 100)
    for start, value in zip(starts, values, strict=True):
        found = minimize(
            lambda x: tuple(-part[0] for part in _hills(x[None])),
            start,
            jac=True,
            method="L-BFGS-B",
            bounds=[(0, 1)] * 3,
        )
        assert value >= -found.fun - 1e-4
    assert ends == pytest.approx(np.full((8, 3), 0.5), abs=0.02)


def test_climbs_stay_inside_and_leave_what_is_held() -> None:
    def slope(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return X.sum(1) - 3 * X[:, 1], np.tile([1.0, -2.0, 1.0], (len(X), 1))

    starts = np.array([[0.2, 0.7, 2.0], [0.9, 0.1, 5.0]])  # the last is a category's index
    ends, _ = ascend(slope, starts, np.array([True, True, False]), 50)
    assert ends.tolist() == [[1.0, 0.0, 2.0], [1.0, 0.0, 5.0]]


def test_a_start_without_a_value_stays_and_spoils_no_other() -> None:
    def holed(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        value, gradient = _hills(X)
        return np.where(X[:, 0] > 0.9, np.nan, value), gradient

    starts = np.array([[0.95, 0.5, 0.5], [0.3, 0.3, 0.3]])
    ends, _ = ascend(holed, starts, np.ones(3, dtype=bool), 100)
    assert ends[0].tolist() == starts[0].tolist()
    assert ends[1] == pytest.approx([0.5, 0.5, 0.5], abs=0.02)
