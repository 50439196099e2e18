"""Splits: disjoint, complete, one item per user, the same for the same seed."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from cmn.errors import InteractionsError, ParameterError
from cmn.interactions import Dataset, HeldOut, from_pairs, numbered
from cmn.splits import latest_out, leave_one_out, since, split_dataset, with_rivals


def dataset(dense, test=None):
    matrix = sparse.csr_array(np.asarray(dense, dtype=np.float32))
    return Dataset(numbered(matrix), test)


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


def timed(rows):
    """Interactions from (user, item, time)."""
    users, items, times = zip(*rows, strict=True)
    return from_pairs(users, items, times=times)


LOG = [(u, i, t) for t, (u, i) in enumerate(itertools.product("abc", range(5)))]


@given(st.permutations(LOG))
def test_the_latest_of_each_user_is_held_out_whatever_the_order_of_rows(rows):
    rest, held_out = latest_out(timed(rows))
    assert held_out.items.tolist() == [4, 4, 4]
    assert rest.times.tolist() == [t for _, i, t in LOG if i < 4]
    assert latest_out(rest)[1].items.tolist() == [3, 3, 3]


def test_a_split_in_time_never_learns_from_what_came_later():
    generator = np.random.default_rng(0)
    pairs = {(int(u), int(i)): int(t) for u, i, t in generator.integers(0, 30, (600, 3))}
    data = timed([(u, i, t) for (u, i), t in pairs.items()])
    split = split_dataset(Dataset(data), by="time")

    def places(users, items):
        return list(zip(users.tolist(), items.tolist(), strict=True))

    when = dict(zip(places(*data.matrix.nonzero()), data.times, strict=True))
    trained = [when[pair] for pair in places(*split.train.nonzero())]
    validated = [when[pair] for pair in places(split.validation.users, split.validation.items)]
    tested = [when[pair] for pair in places(split.test.users, split.test.items)]
    assert max(trained) < min(validated) <= max(validated) < min(tested)
    assert (np.diff(split.known.indptr)[split.test.users] > 0).all()


def test_a_newcomers_interactions_are_not_asked_for():
    rest, held_out = since(timed([("a", 1, 0), ("a", 2, 5), ("b", 1, 6)]), 5)
    assert (held_out.users.tolist(), held_out.items.tolist()) == ([0], [1])
    assert rest.matrix.nnz == 1


@pytest.mark.parametrize("by", ["latest", "time"])
def test_without_times_there_is_no_split_by_time(blocks, by):
    with pytest.raises(InteractionsError, match="no times; a split by time needs a column"):
        split_dataset(dataset(blocks.toarray()), by=by)


def test_what_cannot_be_split_is_refused():
    with pytest.raises(ParameterError, match="split_by is 'user'; random, latest, time"):
        split_dataset(dataset([[1, 1]]), by="user")
    data = timed([("a", 1, 0), ("b", 1, 6)])
    with pytest.raises(InteractionsError, match="moment is 7; one between the first, 0"):
        since(data, 7)
    with pytest.raises(InteractionsError, match="no user has interactions both before and after 3"):
        since(data, 3)
    with pytest.raises(InteractionsError, match="no user has 2 interactions"):
        latest_out(data)


@pytest.mark.parametrize("by", ["uniform", "popularity"])
def test_rivals_are_distinct_items_that_the_user_does_not_have(blocks, by):
    split = split_dataset(dataset(blocks.toarray()), 0)
    test = with_rivals(split.test, split.known, n=12, by=by)
    everything = split.known.toarray() > 0
    everything[test.users, test.items] = True
    assert not everything[test.users[:, None], test.negatives].any()
    assert all(len(set(row)) == 12 for row in test.negatives.tolist())
    again = with_rivals(split.test, split.known, n=12, by=by)
    np.testing.assert_array_equal(again.negatives, test.negatives)


def test_popular_items_are_drawn_in_proportion_to_their_users():
    seen = sparse.csr_array(np.repeat([[0, 1, 1, 1], [0, 0, 1, 1], [0, 0, 0, 1]], 2, axis=0))
    held_out = HeldOut(np.zeros(4000, dtype=np.int64), np.zeros(4000, dtype=np.int64))
    nobody = sparse.csr_array(np.vstack([np.zeros((1, 4)), seen.toarray()]))
    drawn = with_rivals(held_out, nobody, n=1, by="popularity").negatives
    assert np.bincount(drawn[:, 0]) / 4000 == pytest.approx([0, 1 / 6, 2 / 6, 3 / 6], abs=0.03)


def test_too_few_items_to_draw_from_and_an_unknown_way_are_refused():
    seen, held_out = sparse.csr_array((1, 3)), HeldOut(np.array([0]), np.array([0]))
    with pytest.raises(ParameterError, match="rivals is 3; a user has only 2 items"):
        with_rivals(held_out, seen, n=3)
    with pytest.raises(ParameterError, match="drawn by 'chance'; uniform, popularity"):
        with_rivals(held_out, seen, n=1, by="chance")
