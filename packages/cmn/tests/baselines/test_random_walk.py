"""RP3beta against loops over the walks; P3alpha is its case beta = 0."""

import numpy as np
import pytest

from cmn.baselines.random_walk import P3alpha, RP3beta


def slow_weights(matrix, alpha, beta):
    """W[i, j], the walks that end in i and pass j."""
    dense = matrix.toarray()
    of_user, of_item = dense.sum(axis=1), dense.sum(axis=0)
    users, items = dense.shape
    weights = np.zeros((items, items))
    for i in range(items):
        for j in range(items):
            for v in range(users):
                if i != j and dense[v, i] and dense[v, j]:
                    weights[i, j] += (of_item[j] * of_user[v]) ** -alpha * of_item[i] ** -beta
    return weights


@pytest.mark.parametrize(("alpha", "beta"), [(0.711, 0.2297), (1.0, 0.0), (0.0, 0.6)])
@pytest.mark.parametrize("neighbours", [3, 100])
def test_scores_add_up_the_walks(small, neighbours, alpha, beta):
    weights = slow_weights(small, alpha, beta)
    for row in weights:
        kept = np.argsort(-row.round(12), kind="stable")[:neighbours]
        row[np.setdiff1d(np.arange(row.size), kept)] = 0
    users = np.array([5, 0, 6, 13])
    scores = RP3beta(neighbours, alpha, beta).fit(small).score(users)
    np.testing.assert_allclose(scores, small.toarray()[users] @ weights.T, rtol=1e-6)


def test_unpruned_it_is_the_read_over_the_items_users(small):
    """The other order of the same sum: over v in N(i) of s_uv t_v, without itself as j."""
    dense = small.toarray().astype(float)
    of_user = np.maximum(dense.sum(axis=1), 1)
    of_item = np.maximum(dense.sum(axis=0), 1)
    evidence = dense @ np.diag(of_item**-0.5) @ dense.T
    reads = evidence @ np.diag(of_user**-0.5) @ dense @ np.diag(of_item**-0.3)
    itself = (of_user**-0.5 @ dense) * of_item**-0.8
    scores = RP3beta(100, 0.5, 0.3).fit(small).score(np.arange(small.shape[0]))
    np.testing.assert_allclose(scores, reads - dense * itself, atol=1e-6)


def test_p3alpha_is_rp3beta_without_beta(small):
    users = np.arange(small.shape[0])
    walk, plain = RP3beta(5, 0.7, 0.0).fit(small), P3alpha(5, 0.7).fit(small)
    np.testing.assert_array_equal(walk.score(users), plain.score(users))
