"""What holds for every baseline."""

import numpy as np
import pytest

from cmn.baselines import BASELINES, make_baseline
from cmn.baselines.ease import EASE
from cmn.baselines.pure_svd import PureSVD
from cmn.baselines.random_walk import P3alpha, RP3beta
from cmn.baselines.user_knn import UserKNN
from cmn.errors import NotFittedError, ParameterError


def fitted(name, matrix):
    return (PureSVD(5) if name == "pure-svd" else make_baseline(name)).fit(matrix)


@pytest.mark.parametrize("name", [name for name in BASELINES if name != "gmf"])  # that draws
def test_permuting_users_and_items_permutes_scores(name, small):
    generator = np.random.default_rng(5)
    rows, columns = (generator.permutation(size) for size in small.shape)
    everyone = np.arange(small.shape[0])
    scores = fitted(name, small).score(everyone)
    again = fitted(name, small[rows][:, columns]).score(everyone)
    np.testing.assert_allclose(again, scores[rows][:, columns], atol=1e-5)
    assert scores.dtype == np.float32
    assert np.isfinite(scores).all()


@pytest.mark.parametrize("name", BASELINES)
def test_it_must_be_fitted_first(name):
    with pytest.raises(NotFittedError, match="call fit first"):
        make_baseline(name).score(np.array([0]))


@pytest.mark.parametrize(
    ("kind", "arguments", "sentence"),
    [
        (UserKNN, {"neighbours": 0}, "neighbours is 0; at least 1"),
        (RP3beta, {"neighbours": -1}, "neighbours is -1; at least 1"),
        (RP3beta, {"alpha": np.nan}, "alpha is nan; a finite number of at least 0"),
        (RP3beta, {"beta": -0.1}, "beta is -0.1; a finite number of at least 0"),
        (P3alpha, {"alpha": np.inf}, "alpha is inf; a finite number of at least 0"),
        (EASE, {"l2": 0.0}, "l2 is 0.0; a finite number of at least 0.001"),
        (EASE, {"memory_gb": np.nan}, "memory_gb is nan"),
        (PureSVD, {"factors": 0}, "factors is 0; at least 1"),
        (PureSVD, {"seed": -1}, "seed is -1; at least 0"),
    ],
)
def test_bad_hyperparameters_are_refused(kind, arguments, sentence):
    with pytest.raises(ParameterError, match=sentence):
        kind(**arguments)
