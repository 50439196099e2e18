"""Recommendations in two stages against the exact ones."""

import sys

import numpy as np
import pytest
from scipy import sparse

from cmn.errors import InteractionsError, MissingDependencyError, ParameterError
from cmn.recommender import CMN

SETTINGS = {
    "memory network": {"embedding_dim": 6, "epochs": 1, "pretrain_epochs": 3},
    "evidence network": {"protocol": "best", "embedding_dim": 6, "epochs": 2},
}


@pytest.fixture(scope="module", params=SETTINGS)
def model(request):
    generator = np.random.default_rng(7)
    chance = np.full((60, 45), 0.03)
    for group in range(3):
        chance[group * 20 : group * 20 + 20, group * 15 : group * 15 + 15] = 0.5
    matrix = sparse.csr_array((generator.random((60, 45)) < chance).astype(np.float32))
    return CMN(**SETTINGS[request.param]).fit(matrix)


def test_with_every_item_as_a_candidate_both_stages_are_exact(model):
    users = np.arange(60)
    exact, expected = model.recommend(users, n=5)
    found, values = model.two_stage(45).recommend(users, n=5)
    np.testing.assert_allclose(values, expected, atol=1e-5)
    assert (found == exact).mean() > 0.99  # equal scores may change places
    assert model.two_stage(45).recall(users, n=5) == 1.0


def test_fewer_candidates_find_less_and_never_what_was_seen(model):
    fast = model.two_stage(8)
    assert 0.3 < fast.recall(np.arange(60), n=5) <= 1.0
    found, values = fast.recommend(np.arange(60), n=5)
    seen = model.train_matrix.toarray() > 0
    assert np.isfinite(values).all()
    assert not seen[np.arange(60)[:, None], found].any()
    assert list(fast.recommend_frame([3], n=2).columns) == ["user", "item", "rank", "score"]
    with_seen, _ = fast.recommend(np.arange(60), n=5, filter_seen=False)
    assert seen[np.arange(60)[:, None], with_seen].any()


@pytest.mark.parametrize(
    ("call", "error", "sentence"),
    [
        (lambda model: model.two_stage(0), ParameterError, "candidates is 0; 1 to 45 is allowed"),
        (lambda model: model.two_stage(46), ParameterError, "candidates is 46; 1 to 45"),
        (lambda model: model.two_stage(8).recommend([0], n=9), ParameterError, "n is 9; 1 to 8"),
        (lambda model: model.two_stage(8).recommend([99], n=2), InteractionsError, "1 unknown"),
        (lambda model: model.two_stage(8).recommend([0], 2, True, [1]), ParameterError, "items is"),
    ],
)
def test_bad_arguments_are_refused(model, call, error, sentence):
    with pytest.raises(error, match=sentence):
        call(model)


def test_without_faiss_one_sentence_says_what_to_install(model, monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(MissingDependencyError, match=r"cmn\[retrieval\]"):
        model.two_stage(5)
