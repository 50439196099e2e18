"""PureSVD against the dense decomposition."""

import numpy as np
import pytest

from cmn.baselines.pure_svd import PureSVD
from cmn.errors import ParameterError


@pytest.mark.parametrize("factors", [1, 4, 13])
def test_scores_are_the_truncated_decomposition(small, factors):
    left, singular, right = np.linalg.svd(small.toarray().astype(float), full_matrices=False)
    expected = left[:, :factors] * singular[:factors] @ right[:factors]
    users = np.array([5, 0, 6, 13])
    for seed in (0, 1):
        scores = PureSVD(factors, seed).fit(small).score(users)
        np.testing.assert_allclose(scores, expected[users], atol=1e-6)


def test_more_factors_than_the_matrix_has_are_refused(small):
    with pytest.raises(ParameterError, match="factors is 14; below 14 is allowed"):
        PureSVD(14).fit(small)
