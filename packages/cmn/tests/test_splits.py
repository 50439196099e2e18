"""Splits: disjoint, complete, one item per user, the same for the same seed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from cmn.datasets import Dataset
from cmn.errors import InteractionsError
from cmn.interactions import HeldOut, Interactions, binary_csr
from cmn.splits import leave_one_out, split_dataset


def dataset(dense, test=None):
    matrix = binary_csr(sparse.csr_array(np.asarray(dense, dtype=np.float32)))
    ids = (np.arange(size) for size in matrix.shape)
    return Dataset(Interactions(matrix, *ids), test)


def as_matrix(held_out, shape):
    dense = np.zeros(shape)
    dense[held_out.users, held_out.items] += 1
    return dense


@given(st.integers(0, 2**16))
def test_train_validation_and_test_add_up_to_the_data(seed):
    dense = np.random.default_rng(seed).random((8, 9)) < 0.5
    dense[0, :3] = True
    split = split_dataset(dataset(dense), seed)
    parts = [as_matrix(part, dense.shape) for part in (split.validation, split.test)]
    np.testing.assert_array_equal(split.train.toarray() + sum(parts), dense)
    np.testing.assert_array_equal(split.known.toarray(), split.train.toarray() + parts[0])
    enough = np.flatnonzero(dense.sum(axis=1) >= 3)
    assert split.test.users.tolist() == enough.tolist()
    assert set(enough) <= set(split.validation.users)
    assert (np.diff(split.train.indptr)[split.validation.users] > 0).all()


def test_one_seed_gives_one_split_and_another_seed_another(blocks):
    first, again, other = (split_dataset(dataset(blocks.toarray()), seed) for seed in (1, 1, 2))
    assert first.test.items.tolist() == again.test.items.tolist()
    assert first.validation.items.tolist() == again.validation.items.tolist()
    assert first.test.items.tolist() != other.test.items.tolist()


def test_every_interaction_of_a_user_can_be_held_out():
    matrix = dataset([[1, 1, 1, 1]]).interactions.matrix
    held = {
        leave_one_out(matrix, np.random.default_rng(seed))[1].items.item() for seed in range(60)
    }
    assert held == {0, 1, 2, 3}


def test_a_published_test_set_is_kept():
    test = HeldOut(np.array([0]), np.array([3]), np.array([[2]]))
    split = split_dataset(dataset([[1, 1, 0, 0]], test), 0)
    assert split.test is test
    assert split.train.nnz == 1


def test_data_in_which_nobody_has_enough_is_refused():
    with pytest.raises(InteractionsError, match=r"no user has 3 interactions \(the most is 2\)"):
        split_dataset(dataset([[1, 1], [0, 1]]), 0)
