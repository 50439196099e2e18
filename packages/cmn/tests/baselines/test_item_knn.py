"""Item-KNN against dense cosines."""

import numpy as np
import pytest

from cmn.baselines import nearest
from cmn.baselines.item_knn import ItemKNN
from cmn.errors import NotFittedError, ParameterError


def dense_cosines(matrix, idf):
    dense = matrix.toarray().astype(float)
    if idf:
        dense *= np.log(dense.shape[1] / np.maximum(dense.sum(axis=1, keepdims=True), 1))
    lengths = np.linalg.norm(dense, axis=0)
    similarity = np.zeros((dense.shape[1],) * 2)
    for i in range(dense.shape[1]):
        for j in range(dense.shape[1]):
            if i != j and lengths[i] and lengths[j]:
                similarity[i, j] = dense[:, i] @ dense[:, j] / lengths[i] / lengths[j]
    return similarity


@pytest.mark.parametrize("chunk", [4, 2048])
@pytest.mark.parametrize("neighbours", [2, 100])
@pytest.mark.parametrize("idf", [False, True])
def test_scores_add_up_the_cosines_of_the_nearest(blocks, neighbours, chunk, idf, monkeypatch):
    monkeypatch.setattr(nearest, "ROWS_AT_A_TIME", chunk)
    similarity = dense_cosines(blocks, idf)
    for row in similarity:
        kept = np.argsort(-row, kind="stable")[:neighbours]
        row[np.setdiff1d(np.arange(row.size), kept)] = 0
    users = np.array([5, 0, 59])
    scores = ItemKNN(neighbours, idf=idf).fit(blocks).score(users)
    np.testing.assert_allclose(scores, blocks.toarray()[users] @ similarity.T, atol=1e-6)


def test_items_without_users_score_zero(ragged_matrix):
    scores = ItemKNN().fit(ragged_matrix).score(np.arange(9))
    assert (scores[:, [2, 11]] == 0).all()


def test_bad_use_is_refused():
    with pytest.raises(NotFittedError, match="call fit first"):
        ItemKNN().score(np.array([0]))
    with pytest.raises(ParameterError, match="neighbours is 0"):
        ItemKNN(0)
