"""What becomes interactions and what is refused, each with one clear sentence."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from cmn.errors import InteractionsError
from cmn.interactions import binary_csr, check_indices, from_pairs


def test_values_become_one_duplicates_merge_and_zeros_vanish():
    matrix = sparse.coo_array(([2.0, 3.0, 0.0, 5.0], ([0, 0, 1, 1], [1, 1, 0, 2])), shape=(2, 3))
    csr = binary_csr(matrix)
    assert csr.toarray().tolist() == [[0, 1, 0], [0, 0, 1]]
    assert csr.nnz == 2


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16])
def test_repeated_small_integers_do_not_wrap_around(dtype):
    ones = np.ones(258, dtype)
    rows, columns = np.r_[np.zeros(256, int), 1, 1], np.r_[np.zeros(256, int), 1, 2]
    csr = binary_csr(sparse.coo_array((ones, (rows, columns)), shape=(2, 3)))
    assert csr.toarray().tolist() == [[1, 0, 0], [0, 1, 1]]


def test_the_callers_matrix_is_left_alone():
    matrix = sparse.csr_array(np.array([[3.0, 0.0]]))
    binary_csr(matrix)
    assert matrix.data.tolist() == [3.0]


@pytest.mark.parametrize(
    ("matrix", "sentence"),
    [
        (np.ones((2, 2)), "is a ndarray; a scipy.sparse array"),
        (sparse.coo_array(np.ones(3)), r"shape \(3,\); two dimensions"),
        (sparse.csr_array((2, 3)), r"shape \(2, 3\) holds 0 interactions"),
        (sparse.csr_array(np.array([[0.0, 0.0]])), "holds 0 interactions"),
        (sparse.csr_array(np.array([[1.0, np.nan]])), "1 values that are NaN or infinite"),
        (sparse.csr_array(np.array([[1.0, np.inf]])), "NaN or infinite"),
        (sparse.csr_array(np.array([[1.0, -2.0]])), r"1 values below zero \(the first is -2.0"),
    ],
)
def test_unusable_matrices_are_refused(matrix, sentence):
    with pytest.raises(InteractionsError, match=sentence):
        binary_csr(matrix)


def test_a_matrix_whose_column_numbers_are_out_of_range_is_refused():
    matrix = sparse.csr_array(np.eye(2))
    matrix.indices[1] = 7
    with pytest.raises(InteractionsError, match="not a valid CSR"):
        binary_csr(matrix)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(-5, 5)), min_size=1, max_size=30))
def test_pairs_survive_the_round_trip_through_rows_and_columns(pairs):
    data = from_pairs([user for user, _ in pairs], [item for _, item in pairs])
    rows, columns = data.matrix.nonzero()
    back = zip(data.user_ids[rows].tolist(), data.item_ids[columns].tolist(), strict=True)
    assert set(back) == set(pairs)


def test_ratings_below_the_least_and_zero_are_no_interactions():
    data = from_pairs(["a", "a", "b"], [1, 2, 3], ratings=[5, 3, 4], min_rating=4)
    assert data.user_ids.tolist() == ["a", "b"]
    assert data.item_ids.tolist() == [1, 3]
    assert from_pairs([1, 2], [1, 2], ratings=[0, 1]).user_ids.tolist() == [2]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (([1, 2], [1]), "two lists of one length"),
        (([], []), "holds 0 interactions; at least 1"),
        (([1.0, np.nan], [1, 2]), "users has 1 ids that are NaN"),
        (([1], [1], [np.nan]), "rating has 1 values that are NaN"),
        (([1], [1], [-1]), "rating has 1 values below zero"),
        (([1], [1], ["good"]), "dtype <U4; numbers are needed"),
        (([1], [1], [1, 2]), r"ratings has shape \(2,\)"),
        (([1], [1], [2], 3.5), "0 interactions with a rating of at least 3.5"),
        (([1], [1], None, 3.5), "no ratings"),
    ],
)
def test_unusable_pairs_are_refused(arguments, sentence):
    with pytest.raises(InteractionsError, match=sentence):
        from_pairs(*arguments)


@pytest.mark.parametrize("indices", [[-1], [0, 5], [7]])
def test_indices_out_of_range_are_refused_with_their_range(indices):
    with pytest.raises(InteractionsError, match=r"1 ids out of range.*0 to 4 are allowed"):
        check_indices("users", indices, 5)


@pytest.mark.parametrize("indices", [[0.5], [[0]], ["a"]])
def test_indices_must_be_a_list_of_integers(indices):
    with pytest.raises(InteractionsError, match="one-dimensional list of integers"):
        check_indices("users", indices, 5)
