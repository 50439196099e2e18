"""What is ranked against what: masks, rivals, batches, several held-out items of a user."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from cmn.errors import InteractionsError, ParameterError, TrainingDivergedError
from cmn.evaluation import assess, best_columns, evaluate
from cmn.interactions import HeldOut
from cmn.metrics import METRICS


class Fixed:
    """Scores looked up in a table."""

    def __init__(self, table):
        self.table = np.asarray(table, dtype=np.float64)

    def score(self, users):
        return self.table[users]


def held_out(users, items, negatives=None):
    return HeldOut(np.array(users), np.array(items), negatives)


@pytest.mark.parametrize("n", [10, 37, 400])
def test_a_constant_scorer_gets_ten_in_n(n):
    seen = sparse.csr_array((3, n))
    metrics = evaluate(Fixed(np.ones((3, n))), held_out([0, 1, 2], [0, 5, 9]), seen)
    assert metrics["hr@10"] == pytest.approx(10 / n)


def test_seen_items_are_masked_and_the_held_out_item_is_not():
    seen = sparse.csr_array(np.array([[0, 1, 1, 0]]))
    metrics = evaluate(Fixed([[1, 9, 8, 0]]), held_out([0], [0]), seen, (1,))
    assert metrics == dict.fromkeys((f"{name}@1" for name in METRICS), 1.0)


def test_published_negatives_give_raw_and_masked_metrics_beside_full_ranking():
    seen = sparse.csr_array(np.array([[0, 1, 0, 0]]))
    test = held_out([0], [0], np.array([[1, 2]]))
    metrics = evaluate(Fixed([[5, 9, 1, 7]]), test, seen, (1, 2))
    assert metrics["hr@1"] == 0  # item 3 is ahead in the full catalogue
    assert metrics["raw_hr@1"] == 0  # item 1 is ahead although the user has seen it
    assert metrics["masked_hr@1"] == 1
    assert metrics["raw_ndcg@2"] == pytest.approx(1 / math.log2(3))


def test_more_users_than_fit_a_batch_are_all_counted():
    n = 600
    table = np.zeros((n, 3))
    table[: n // 4, 2] = 1  # a quarter has its item first, the rest tie with two others
    metrics = evaluate(Fixed(table), held_out(range(n), [2] * n), sparse.csr_array((n, 3)), (1,))
    assert metrics["hr@1"] == pytest.approx(0.25 + 0.75 / 3)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_scores_that_are_not_finite_are_refused_rather_than_ranked(value):
    with pytest.raises(TrainingDivergedError, match="diverged"):
        evaluate(Fixed([[value, 1]]), held_out([0], [0]), sparse.csr_array((1, 2)))


def test_held_out_ids_out_of_range_are_refused():
    seen = sparse.csr_array((1, 2))
    for test, field in [
        (held_out([1], [0]), "users"),
        (held_out([0], [2]), "items"),
        (held_out([0], [0], np.array([[-1]])), "negatives"),
    ]:
        with pytest.raises(InteractionsError, match=f"held-out {field} has 1 ids out of range"):
            evaluate(Fixed([[1, 1]]), test, seen)


class Candidates(Fixed):
    """Scores candidates, too, and counts how often it is asked for the whole catalogue."""

    def __init__(self, table):
        super().__init__(table)
        self.whole = 0

    def score(self, users):
        self.whole += 1
        return super().score(users)

    def score_candidates(self, users, items):
        return self.table[users[:, None], items]


def test_rivals_alone_need_no_scores_of_the_whole_catalogue():
    generator = np.random.default_rng(0)
    table = generator.integers(0, 4, (300, 30)).astype(float)
    seen = sparse.csr_array((generator.random((300, 30)) < 0.3).astype(np.float32))
    free = np.array([generator.choice(np.flatnonzero(row == 0)) for row in seen.toarray()])
    test = held_out(np.arange(300), free, generator.integers(0, 30, (300, 9)))
    everything = assess(Fixed(table), test, seen)
    quick = Candidates(table)
    for scorer in (quick, Fixed(table)):
        few = assess(scorer, test, seen, sampled_only=True)
        assert few.lists == {}
        for name, values in few.per_user.items():
            np.testing.assert_array_equal(values, everything.per_user[name])
    assert quick.whole == 0
    assert {name for name in everything.per_user if "_" in name} == set(few.per_user)


def test_held_out_items_of_one_user_are_no_rivals_of_each_other():
    test = held_out([1, 0, 1], [2, 0, 3])
    evaluation = assess(Fixed([[1, 2, 0, 0], [0, 0, 7, 9]]), test, sparse.csr_array((2, 4)), (2,))
    assert evaluation.users.tolist() == [0, 1]
    assert evaluation.per_user["recall@2"].tolist() == [1, 1]
    assert evaluation.per_user["map@2"].tolist() == [0.5, 1]


def test_one_or_several_held_out_items_are_counted_alike():
    generator = np.random.default_rng(1)
    table = generator.integers(0, 5, (7, 12)).astype(float)
    seen = sparse.csr_array((7, 12))
    single = assess(Fixed(table), held_out(np.arange(7), [3] * 7), seen)
    several = assess(Fixed(table), held_out([*range(7), 0], [3] * 7 + [5]), seen)
    for name, values in single.per_user.items():
        np.testing.assert_allclose(several.per_user[name][1:], values[1:])


def test_lists_leave_seen_items_out_and_keep_held_out_ones():
    seen = sparse.csr_array(np.array([[0, 1, 1, 0], [1, 0, 0, 0]]))
    evaluation = assess(Fixed([[3, 9, 9, 1], [9, 5, 0, 0]]), held_out([0], [0]), seen, (1,))
    assert evaluation.lists["coverage@1"] == 0.25
    assert evaluation.means() == {
        **dict.fromkeys((f"{name}@1" for name in METRICS), 1.0),
        **evaluation.lists,
    }


def test_what_cannot_be_measured_is_refused():
    seen, scorer = sparse.csr_array((1, 2)), Fixed([[1, 2]])
    with pytest.raises(ParameterError, match="held_out has 0 interactions"):
        evaluate(scorer, HeldOut(np.empty(0, np.int64), np.empty(0, np.int64)), seen)
    with pytest.raises(ParameterError, match=r"cutoffs is \(0,\)"):
        evaluate(scorer, held_out([0], [0]), seen, (0,))
    with pytest.raises(ParameterError, match="held_out has no negatives"):
        assess(scorer, held_out([0], [0]), seen, sampled_only=True)


@given(st.lists(st.lists(st.integers(0, 3), min_size=5, max_size=5), min_size=1), st.integers(1, 5))
def test_best_columns_are_those_of_a_stable_sort(rows, n):
    scores = np.array(rows, dtype=np.float32)
    expected = np.argsort(-scores, axis=1, kind="stable")[:, :n]
    np.testing.assert_array_equal(best_columns(scores, n), expected)
