"""User-KNN against loops over pairs of users."""

import math

import numpy as np
import pytest

from cmn.baselines.user_knn import UserKNN


def slow_scores(matrix, neighbours, idf):
    liked = [set(np.flatnonzero(row)) for row in matrix.toarray()]
    users, items = matrix.shape
    degrees = matrix.toarray().sum(axis=0)
    weights = [math.log(users / d) if idf and d else 1.0 for d in degrees]
    lengths = [math.sqrt(sum(weights[i] ** 2 for i in mine)) for mine in liked]
    scores = np.zeros(matrix.shape)
    for u in range(users):
        cosines = []
        for v in range(users):
            shared = sum(weights[i] ** 2 for i in liked[u] & liked[v])
            if u != v and shared:
                cosines.append((shared / lengths[u] / lengths[v], v))
        for cosine, v in sorted(cosines, key=lambda pair: (-round(pair[0], 12), pair[1]))[
            :neighbours
        ]:
            for i in liked[v]:
                scores[u, i] += cosine
    assert scores.shape == (users, items)
    return scores


@pytest.mark.parametrize("idf", [False, True])
@pytest.mark.parametrize("neighbours", [3, 100])
def test_scores_add_up_the_cosines_of_the_nearest_users(small, neighbours, idf):
    users = np.array([5, 0, 6, 13])
    scores = UserKNN(neighbours, idf=idf).fit(small).score(users)
    np.testing.assert_allclose(scores, slow_scores(small, neighbours, idf)[users], atol=1e-6)
