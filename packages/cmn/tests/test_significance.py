"""Intervals that cover, tests that hold still without a difference and see one that is there."""

import numpy as np
import pytest
from scipy.stats import norm

from cmn.errors import ParameterError
from cmn.evaluation import Evaluation
from cmn.significance import interval, paired


def evaluation(values, users=None):
    values = np.asarray(values, dtype=float)
    return Evaluation(np.arange(values.size) if users is None else users, {"ndcg@10": values}, {})


def test_the_interval_is_about_that_of_the_normal_distribution():
    values = np.random.default_rng(0).normal(3, 2, 4000)
    low, high = interval(values)
    half = norm.ppf(0.975) * values.std() / np.sqrt(values.size)
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.01)
    assert interval(values, 0.5)[0] > low


def test_a_difference_in_every_user_is_seen_where_the_means_alone_would_not_tell():
    generator = np.random.default_rng(1)
    base = generator.random(300)
    better = base + generator.normal(0.02, 0.02, 300)
    result = paired(evaluation(better), evaluation(base), "ndcg@10")
    assert 0 < result.low < result.difference < result.high
    assert result.p_value < 1e-6
    assert result.high < 0.5 * (interval(base)[1] - interval(base)[0])


def test_no_difference_is_no_evidence():
    same = evaluation([0.1, 0.4, 0.2])
    result = paired(same, same, "ndcg@10")
    assert (result.difference, result.low, result.high, result.p_value) == (0, 0, 0, 1)


def test_other_users_and_unknown_metrics_are_refused():
    one = evaluation([0.1, 0.2])
    with pytest.raises(ParameterError, match="of 2 and 2 users that are not the same"):
        paired(one, evaluation([0.1, 0.2], users=np.array([0, 7])), "ndcg@10")
    with pytest.raises(ParameterError, match="metric is 'auc'; ndcg@10 were measured"):
        paired(one, one, "auc")
    with pytest.raises(ParameterError, match="level is 95"):
        interval(np.ones(3), 95)
    with pytest.raises(ParameterError, match="values has 0 numbers"):
        interval(np.ones(0))
