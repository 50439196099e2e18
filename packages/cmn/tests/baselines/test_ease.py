"""EASE against one ridge regression for each item."""

import numpy as np
import pytest
from scipy import sparse

from cmn.baselines import ease
from cmn.baselines.ease import EASE
from cmn.errors import ParameterError


def regressions(dense, l2):
    """B column by column: item i from all other items, |x_i - X b|^2 + l2 |b|^2 with b_i = 0."""
    weights = np.zeros((dense.shape[1],) * 2)
    for i in range(dense.shape[1]):
        others = np.delete(np.arange(dense.shape[1]), i)
        tall = np.vstack([dense[:, others], np.sqrt(l2) * np.eye(others.size)])
        target = np.concatenate([dense[:, i], np.zeros(others.size)])
        weights[others, i] = np.linalg.lstsq(tall, target, rcond=None)[0]
    return weights


@pytest.mark.parametrize("chunk", [5, 1024])
@pytest.mark.parametrize("l2", [0.001, 2.0, 523.0])
def test_it_solves_its_optimisation_on_either_side(small, l2, chunk, monkeypatch):
    monkeypatch.setattr(ease, "ROWS_AT_A_TIME", chunk)
    dense = small.toarray().astype(np.float64)
    model = EASE(l2).fit(small)
    users = np.array([5, 0, 6, 13])
    expected = dense[users] @ regressions(dense, l2)
    np.testing.assert_allclose(model.score(users), expected, rtol=1e-5, atol=1e-6)
    inverse = np.linalg.inv(dense.T @ dense + l2 * np.eye(dense.shape[1]))
    np.testing.assert_allclose(model.diagonal, np.diag(inverse), rtol=1e-9)


@pytest.mark.parametrize("wide", [True, False])
def test_an_item_says_nothing_about_itself(wide):
    dense = np.vstack([np.eye(8), np.random.default_rng(2).random((12, 8)) < 0.4])
    if wide:
        dense = np.hstack([dense, np.vstack([np.zeros((8, 16)), np.ones((12, 16))])])
    matrix = sparse.csr_array(dense)
    scores = EASE(1.0).fit(matrix).score(np.arange(8))
    np.testing.assert_allclose(np.diag(scores[:, :8]), 0, atol=1e-7)


def test_too_large_a_matrix_is_refused_before_anything_is_allocated():
    matrix = sparse.csr_array(([1.0], ([0], [0])), (10**6, 10**6))
    with pytest.raises(ParameterError, match=r"needs 8000\.0 GB for the 1000000 x 1000000 inv"):
        EASE().fit(matrix)
