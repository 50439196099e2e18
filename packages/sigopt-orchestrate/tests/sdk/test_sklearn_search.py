"""scikit-learn's own checks of estimators, on the search."""

import warnings

import numpy as np
import pytest

pytest.importorskip("sklearn")
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.utils.estimator_checks import parametrize_with_checks

from sigopt_orchestrate import OrchestrateSearchCV, double, integer


@pytest.mark.filterwarnings("ignore")  # what scikit-learn's checks provoke on purpose
@parametrize_with_checks(
    [
        OrchestrateSearchCV(
            LogisticRegression(), {"C": double(0.1, 10)}, n_iter=2, cv=2, error_score="raise"
        )
    ]
)
def test_scikit_learns_checks(estimator, check):
    check(estimator)


def test_a_seed_repeats_the_search_and_lists_may_hold_anything():
    features, target = make_classification(80, random_state=0)
    space = {
        "C": double(1e-3, 1e3, log=True),
        "max_iter": integer(50, 90),
        "class_weight": [None, "balanced", {0: 1, 1: 2}],
        "solver": ["lbfgs"],
    }

    def search(seed):
        found = OrchestrateSearchCV(
            LogisticRegression(), space, n_iter=7, batch_size=3, cv=3, random_state=seed
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # 50 iterations may be too few
            return found.fit(features, target)

    first, second, other = search(1), search(1), search(2)
    assert first.cv_results_["params"] == second.cv_results_["params"]
    assert first.cv_results_["params"] != other.cv_results_["params"]
    assert len(first.cv_results_["params"]) == 7
    assert {p["solver"] for p in first.cv_results_["params"]} == {"lbfgs"}
    assert first.best_score_ == np.max(first.cv_results_["mean_test_score"])


def test_of_several_scores_refit_names_the_one_that_steers():
    features, target = make_classification(40, random_state=0)
    scoring = ["accuracy", "f1"]
    search = OrchestrateSearchCV(
        LogisticRegression(), {"C": double(0.1, 10)}, n_iter=2, cv=2, scoring=scoring, refit="f1"
    )
    assert search.fit(features, target).best_score_ == max(search.cv_results_["mean_test_f1"])
    search.set_params(refit=False)
    with pytest.raises(ValueError, match="refit: must name one of the scores"):
        search.fit(features, target)
