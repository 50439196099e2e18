import numpy as np
import pytest

from sigopt_orchestrate.optimizer.correlation import features_of
from sigopt_orchestrate.optimizer.telling_task import levelled

FEATURES = features_of([None, None, 2])


def _trials(count: int) -> tuple[np.ndarray, np.ndarray]:
    """The full task ran where values are high, the cheap one where they are low."""
    rng = np.random.default_rng(0)
    X = rng.random((count, 3))
    X[:, 2] = np.arange(count) % 3 > 0
    X[:, 0] = np.where(X[:, 2] == 0, 0.4 + 0.6 * X[:, 0], 0.6 * X[:, 0])
    return X, np.sin(2 * X[:, [0]]) + X[:, [1]] ** 2


@pytest.mark.parametrize("count", [24, 3_000])
def test_a_shift_is_taken_off_although_the_tasks_ran_at_other_points(count: int) -> None:
    X, V = _trials(count)
    moved = levelled(V + 5.0 * X[:, [2]], X, FEATURES, 0.0)
    assert moved == pytest.approx(V, abs=0.02)


def test_without_a_full_trial_nothing_moves() -> None:
    X, V = _trials(24)
    X[:, 2] = 1.0
    assert (levelled(V, X, FEATURES, 0.0) == V).all()
