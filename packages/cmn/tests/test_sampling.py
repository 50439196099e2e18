"""Negatives: never seen, only of items with users, uniform."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from cmn.errors import InteractionsError
from cmn.sampling import NegativeSampler


@given(st.integers(0, 2**16))
def test_every_unseen_item_with_users_is_drawn_and_no_other(seed):
    generator = np.random.default_rng(seed)
    dense = generator.random((5, 8)) < 0.5
    dense[0, :2] = [True, False]
    dense[1, :2] = [False, True]
    sampler = NegativeSampler(sparse.csr_array(dense.astype(np.float32)))
    eligible = dense.any(axis=0)
    for user in range(5):
        allowed = set(np.flatnonzero(eligible & ~dense[user]))
        if not allowed:
            continue
        drawn = sampler.draw(np.full(300, user), 2, generator)
        assert drawn.shape == (300, 2)
        assert set(drawn.ravel()) <= allowed
        assert set(drawn.ravel()) == allowed


def test_draws_are_uniform():
    dense = np.zeros((2, 10))
    dense[0, [0, 3, 4, 9]] = 1
    dense[1, :] = 1
    sampler = NegativeSampler(sparse.csr_array(dense))
    drawn = sampler.draw(np.zeros(20000, dtype=np.int64), 3, np.random.default_rng(0))
    counts = np.bincount(drawn.ravel(), minlength=10)[[1, 2, 5, 6, 7, 8]]
    expected = 60000 / 6
    assert ((counts - expected) ** 2 / expected).sum() < 20.5  # chi-square, 5 degrees, p = .001


@pytest.mark.parametrize("triples", [False, True])
def test_an_epoch_visits_every_positive_in_batches(ragged_matrix, triples):
    sampler = NegativeSampler(ragged_matrix)
    batches = list(sampler.epoch(7, 3, np.random.default_rng(0), triples=triples))
    assert max(len(users) for users, _ in batches) == 7
    assert {items.shape[1] for _, items in batches} == {2 if triples else 4}
    pairs = [pair for users, items in batches for pair in zip(users, items[:, 0], strict=True)]
    stored = list(zip(*ragged_matrix.nonzero(), strict=True)) * (3 if triples else 1)
    assert sorted(pairs) == sorted(stored)


def test_users_who_have_seen_everything_are_left_out_of_training():
    sampler = NegativeSampler(sparse.csr_array(np.array([[1, 1], [1, 0]])))
    assert sampler.users.tolist() == [1]


def test_a_matrix_without_any_negative_is_refused():
    with pytest.raises(InteractionsError, match="nothing to rank"):
        NegativeSampler(sparse.csr_array(np.ones((2, 3))))
