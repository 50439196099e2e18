"""Popularity counts users."""

import numpy as np
import pytest

from cmn.baselines.popularity import Popularity
from cmn.errors import NotFittedError


def test_scores_are_user_counts_for_everyone(ragged_matrix):
    scores = Popularity().fit(ragged_matrix).score(np.array([0, 3]))
    np.testing.assert_array_equal(scores, [ragged_matrix.toarray().sum(axis=0)] * 2)


def test_it_must_be_fitted_first():
    with pytest.raises(NotFittedError, match="call fit first"):
        Popularity().score(np.array([0]))
