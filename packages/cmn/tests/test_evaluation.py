"""Metrics against brute force over all orders of the tied items."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from cmn.errors import InteractionsError, TrainingDivergedError
from cmn.evaluation import evaluate, hit_ratio, ndcg
from cmn.interactions import HeldOut


class Fixed:
    """Scores looked up in a table."""

    def __init__(self, table):
        self.table = np.asarray(table, dtype=np.float64)

    def score(self, users):
        return self.table[users]


def held_out(users, items, negatives=None):
    return HeldOut(np.array(users), np.array(items), negatives)


@settings(deadline=None)
@given(st.lists(st.integers(0, 3), min_size=2, max_size=6), st.integers(1, 7))
def test_metrics_are_the_mean_over_all_orders_of_tied_items(scores, cutoff):
    hits, gains = [], []
    for order in itertools.permutations(range(len(scores))):
        ranking = sorted(order, key=lambda item: -scores[item])  # stable: ties stay as ordered
        rank = ranking.index(0)
        hits.append(rank < cutoff)
        gains.append(1 / math.log2(rank + 2) if rank < cutoff else 0)
    seen = sparse.csr_array((1, len(scores)))
    metrics = evaluate(Fixed([scores]), held_out([0], [0]), seen, (cutoff,))
    assert metrics[f"hr@{cutoff}"] == pytest.approx(np.mean(hits))
    assert metrics[f"ndcg@{cutoff}"] == pytest.approx(np.mean(gains))


@pytest.mark.parametrize("n", [10, 37, 400])
def test_a_constant_scorer_gets_ten_in_n(n):
    seen = sparse.csr_array((3, n))
    metrics = evaluate(Fixed(np.ones((3, n))), held_out([0, 1, 2], [0, 5, 9]), seen)
    assert metrics["hr@10"] == pytest.approx(10 / n)


def test_seen_items_are_masked_and_the_held_out_item_is_not():
    seen = sparse.csr_array(np.array([[0, 1, 1, 0]]))
    metrics = evaluate(Fixed([[1, 9, 8, 0]]), held_out([0], [0]), seen, (1,))
    assert metrics == {"hr@1": 1.0, "ndcg@1": 1.0}


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


def test_hand_computed_ties_across_the_cutoff():
    greater, ties = np.array([9]), np.array([1])
    assert hit_ratio(greater, ties, 10).tolist() == [0.5]
    assert ndcg(greater, ties, 10).tolist() == pytest.approx([0.5 / math.log2(11)])


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
