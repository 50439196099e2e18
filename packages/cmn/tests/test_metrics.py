"""Metrics against brute force over all orders of tied items, and by hand."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cmn.metrics import METRICS, TieGroups, of_lists


def one_order(ranking, relevant, k):
    """All five metrics of one strict ranking, as their textbook definitions say."""
    top = [item in relevant for item in ranking[:k]]
    ideal = sum(1 / math.log2(rank + 2) for rank in range(min(k, len(relevant))))
    first = top.index(True) if any(top) else None
    precisions = [sum(top[: rank + 1]) / (rank + 1) for rank, hit in enumerate(top) if hit]
    return {
        "hr": float(any(top)),
        "recall": sum(top) / len(relevant),
        "ndcg": sum(hit / math.log2(rank + 2) for rank, hit in enumerate(top)) / ideal,
        "mrr": 0.0 if first is None else 1 / (first + 1),
        "map": sum(precisions) / min(k, len(relevant)),
    }


def groups_of(scores, relevant):
    """What the evaluation would count for one user."""
    rivals = np.array([score for item, score in enumerate(scores) if item not in relevant])
    mine = np.array([scores[item] for item in relevant], dtype=float)
    greater = np.array([(rivals > score).sum() for score in mine])
    ties = np.array([(rivals == score).sum() for score in mine])
    return TieGroups.of(np.zeros(len(mine), dtype=np.int64), mine, greater, ties)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(0, 2), min_size=2, max_size=6), st.integers(1, 7), st.integers(1, 4))
def test_metrics_are_the_mean_over_all_orders_of_tied_items(scores, k, n_relevant):
    relevant = list(range(min(n_relevant, len(scores))))
    rows = [
        one_order(sorted(order, key=lambda item: -scores[item]), relevant, k)  # a stable sort
        for order in itertools.permutations(range(len(scores)))
    ]
    groups = groups_of(scores, relevant)
    for name, metric in METRICS.items():
        assert metric(groups, k) == pytest.approx([np.mean([row[name] for row in rows])]), name


@pytest.mark.parametrize(
    ("name", "value"),
    [("hr", 0.5), ("recall", 0.5), ("ndcg", 0.5 / math.log2(11)), ("mrr", 0.05), ("map", 0.05)],
)
def test_a_tie_across_the_cutoff_by_hand(name, value):
    """Nine rivals ahead and one tied: tenth or eleventh."""
    one = np.array([0])
    groups = TieGroups.of(one, np.array([1.0]), np.array([9]), np.array([1]))
    assert METRICS[name](groups, 10).tolist() == pytest.approx([value])


def test_users_are_kept_apart_in_any_order():
    users = np.array([1, 0, 1, 2])
    scores, greater = np.array([3.0, 1.0, 5.0, 2.0]), np.array([1, 0, 0, 7])
    groups = TieGroups.of(users, scores, greater, np.zeros(4, dtype=np.int64))
    assert METRICS["recall"](groups, 2).tolist() == [1, 0.5, 0]
    assert METRICS["mrr"](groups, 5).tolist() == [1, 1, 0]
    assert METRICS["map"](groups, 3).tolist() == pytest.approx([1, (1 + 2 / 3) / 2, 0])


def test_lists_by_hand():
    lists = np.array([[0, 1], [0, -1]])
    popularity, profiles = np.array([8, 2, 0, 1]), np.array([4.0, 2.0])
    measured = of_lists(lists, popularity, profiles, n_users=16)
    assert measured["coverage"] == 0.5
    assert measured["novelty"] == pytest.approx((1 + 3 + 1) / 3)
    assert measured["popularity_lift"] == pytest.approx(6 / 3 - 1)
    assert measured["gini"] == pytest.approx((2 * 1 * 3 + 2 * 2 * 4) / (3 * 4) - 5 / 4)


def test_equal_exposure_has_no_inequality_and_one_item_for_all_nearly_the_most():
    flat, popularity, profiles = np.arange(100)[:, None], np.ones(100, np.int64), np.ones(100)
    assert of_lists(flat, popularity, profiles, 100)["gini"] == 0
    one = np.zeros((100, 1), dtype=np.int64)
    assert of_lists(one, popularity, profiles, 100)["gini"] == pytest.approx(0.99)
