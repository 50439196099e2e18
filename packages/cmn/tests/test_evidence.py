"""Evidence: equal to a slow walk, and to RP3beta when read."""

import numpy as np
import pytest
from scipy import sparse

from cmn.baselines.random_walk import RP3beta
from cmn.datasets import load_dataset
from cmn.evidence import WalkEvidence
from cmn.evidence_fitting import build_evidence_network, build_evidence_scorer
from cmn.hyperparameters import Hyperparameters
from cmn.splits import split_dataset


def test_rows_are_sums_over_shared_items(ragged_matrix):
    dense = ragged_matrix.toarray()
    rows = WalkEvidence(ragged_matrix, alpha=0.6).rows(np.arange(9)).toarray()
    for u in range(9):
        for v in range(9):
            shared = [j for j in range(12) if dense[u, j] and dense[v, j] and u != v]
            expected = sum((dense[u].sum() * dense[:, j].sum()) ** -0.6 for j in shared)
            assert rows[u, v] == pytest.approx(expected, rel=1e-6, abs=1e-9)


def test_users_outside_the_graph_walk_like_users_inside(ragged_matrix):
    evidence = WalkEvidence(ragged_matrix, alpha=0.6)
    inside = evidence.rows(np.arange(9)).toarray()
    outside = evidence.rows_of(ragged_matrix).toarray()
    np.fill_diagonal(outside, 0)
    np.testing.assert_array_equal(outside, inside)
    again = WalkEvidence(ragged_matrix, alpha=0.1).at(0.6).rows(np.arange(9)).toarray()
    np.testing.assert_array_equal(again, inside)


def test_a_sample_of_a_popular_items_members_is_unbiased():
    dense = np.zeros((40, 3))
    dense[:, 0] = 1
    dense[:20, 1] = 1
    dense[0, 2] = 1
    matrix = sparse.csr_array(dense)
    exact = WalkEvidence(matrix, alpha=0.5).rows(np.array([0])).toarray()
    samples = [
        WalkEvidence(matrix, 0.5, 8, np.random.default_rng(seed)).rows(np.array([0])).toarray()
        for seed in range(400)
    ]
    np.testing.assert_allclose(np.mean(samples, axis=0)[0, 1:], exact[0, 1:], rtol=0.35)
    assert np.mean(samples) == pytest.approx(exact.mean(), rel=0.03)


def test_the_untrained_network_ranks_like_rp3beta():
    """On MovieLens small; alpha and beta are the walk's own, nothing is pruned."""
    train = split_dataset(load_dataset("movielens-small"), 0).train
    settings = Hyperparameters(protocol="best", embedding_dim=2, alpha=0.711, linear_l2=0.0)
    network = build_evidence_network(*train.shape, settings)
    users = np.arange(0, 671, 7)
    ours = build_evidence_scorer(network, train, settings).score(users)
    walk = RP3beta(neighbours=train.shape[1], alpha=0.711, beta=settings.beta).fit(train)
    theirs = walk.scorer.score(users)
    seen = train[users].toarray() > 0
    ours[seen] = theirs[seen] = -np.inf
    top = np.sort(theirs, axis=1)[:, -11:]
    assert (np.diff(top, axis=1) > 0).mean() > 0.99
    for mine, other in zip(ours, theirs, strict=True):
        best = np.argsort(-mine)[:10]
        np.testing.assert_allclose(other[best], np.sort(other)[::-1][:10], rtol=1e-4)
