import numpy as np
import pytest

from sigopt_orchestrate.optimizer.correlation import features_of
from sigopt_orchestrate.optimizer.surrogate import of_objective

FEATURES = features_of([None] * 6)


def _smooth(X: np.ndarray) -> np.ndarray:
    return np.sin(3 * X[:, 0]) + X[:, 1] - X[:, 2] ** 2


@pytest.mark.parametrize("seed", range(3))
def test_what_differs_at_the_same_place_is_taken_for_noise(seed: int) -> None:
    rng = np.random.default_rng(seed)
    X = rng.random((24, 6))
    X[16:] = X[0] + 0.01 * rng.standard_normal((8, 6))
    values = _smooth(X) + 0.5 * rng.standard_normal(24)
    given = of_objective(FEATURES, X, values, 1.0, None).process.hyperparameters
    share = 0.25 / values.var()
    assert share / 4 < given.noise < 4 * share
    assert given.lengthscales.min() > 0.05


@pytest.mark.parametrize("seed", range(3))
def test_a_smooth_function_has_no_noise(seed: int) -> None:
    X = np.random.default_rng(seed).random((24, 6))
    process = of_objective(FEATURES, X, _smooth(X), 1.0, None).process
    assert process.hyperparameters.noise < 1e-3
