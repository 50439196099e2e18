"""An evidence model in use: explained, folded into, taught more, saved."""

import numpy as np
import onnxruntime
import pytest
from scipy import sparse

from cmn.baselines.ease import EASE
from cmn.errors import ParameterError
from cmn.recommender import CMN
from cmn.splits import leave_one_out


def grouped(n_users, seed):
    generator = np.random.default_rng(seed)
    chance = np.full((n_users, 45), 0.03)
    for user in range(n_users):
        chance[user, user % 3 * 15 : user % 3 * 15 + 15] = 0.5
    return sparse.csr_array((generator.random((n_users, 45)) < chance).astype(np.float32))


@pytest.fixture(scope="module")
def model():
    return CMN(protocol="best", embedding_dim=8, epochs=3).fit(grouped(90, 0))


def test_an_explanation_adds_up(model):
    explanation = model.explain(3, 0)
    assert explanation.score == pytest.approx(float(model.score([3])[0, 0]), abs=1e-5)
    assert explanation.weights.sum() == pytest.approx(1, abs=1e-5)
    assert set(explanation.neighbours) == set(model.train_matrix.toarray()[:, 0].nonzero()[0])
    assert explanation.score > explanation.without_memory
    assert (explanation.effects >= 0).all()
    assert (np.diff(explanation.effects) <= 1e-6).all()
    share, total = explanation.weights[0, 0], explanation.score - explanation.without_memory
    assert explanation.effects[0] < total
    assert (share > 0.999) == (explanation.effects[0] > 0.999 * total)


def test_newcomers_are_scored_by_the_graph_they_join(model):
    histories = grouped(5, 3)
    value, known = model.network.scalars(), model.train_matrix
    dense = np.vstack([known.toarray(), histories.toarray()])
    users, items = dense.sum(axis=1), np.maximum(dense.sum(axis=0), 1)
    steps = dense * (np.maximum(users, 1)[:, None] * items) ** -value["alpha"]
    strengths = steps[-5:] @ dense.T
    strengths[np.arange(5), np.arange(90, 95)] = 0
    weighted = strengths ** value["gamma"] * np.maximum(users, 1) ** -value["delta"]
    expected = np.log(weighted @ dense + np.exp(value["log_floor"]))
    expected -= value["beta"] * np.log(items)
    linear = EASE(model.linear_l2).fit(known).score_histories(histories)
    expected += value["items"] * np.arcsinh(linear / 0.02)
    np.testing.assert_allclose(model.fold_in(histories).score(np.arange(5)), expected, atol=1e-3)


def test_newcomers_are_ranked_well(model):
    train, test = leave_one_out(grouped(200, 1), np.random.default_rng(0))
    folded = model.fold_in(train).evaluate(test)["ndcg@10"]
    everything = CMN(protocol="best", embedding_dim=8, epochs=3).fit(train)
    assert folded > 0.9 * everything.evaluate(test, train)["ndcg@10"]


@pytest.mark.parametrize("shape", [(20, 45), (60, 45)])
def test_ease_scores_histories_as_it_scores_users(shape):
    matrix = grouped(*shape[:1], 4)[:, : shape[1]]
    ease = EASE(l2=5.0).fit(matrix)
    np.testing.assert_allclose(ease.score_histories(matrix[[3, 7]]), ease.score([3, 7]), atol=1e-5)


def test_more_is_learnt_without_an_epoch_and_survives_saving(tmp_path):
    model = CMN(protocol="best", embedding_dim=8, epochs=2).fit(grouped(90, 0))
    grown = np.zeros((92, 46))
    grown[90, [0, 1, 2, 45]] = grown[91, [0, 3, 45]] = 1
    model.partial_fit(sparse.csr_array(grown))
    ids, _ = model.recommend([90, 91], n=5)
    assert (ids < 15).mean() > 0.7
    model.save(tmp_path)
    again = CMN.load(tmp_path)
    np.testing.assert_allclose(again.score([90, 3]), model.score([90, 3]), atol=1e-5)
    assert again.similar_items([0], n=3)[0].shape == (1, 3)


@pytest.mark.parametrize("n_users", [20, 90])
def test_candidates_are_scored_as_in_the_catalogue(n_users, monkeypatch):
    model = CMN(protocol="best", embedding_dim=8, epochs=2).fit(grouped(n_users, 0))
    model.network.set_scalars({"affinity": 0.7, "items": 0.4, "gamma": 1.3, "log_floor": -4})
    users = np.array([3, 17, 3, 0, 11])
    candidates = np.random.default_rng(0).integers(45, size=(5, 9))
    everything = model.scorer.score(users)
    for budget in (1, 2**22):
        monkeypatch.setattr("cmn.evidence_scoring.NUMBERS_AT_A_TIME", budget)
        scores = model.scorer.score_candidates(users, candidates)
        expected = np.take_along_axis(everything, candidates, axis=1)
        np.testing.assert_allclose(scores, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("n_users", "settings"), [(20, {}), (90, {"max_neighbours": 3})], ids=["wide", "tall"]
)
def test_both_graphs_agree_with_the_model(n_users, settings, tmp_path):
    matrix = grouped(n_users, 0)
    model = CMN(protocol="best", embedding_dim=8, epochs=2, **settings).fit(matrix)
    model.network.set_scalars({"affinity": 0.7, "items": 0.4, "gamma": 1.3, "log_floor": -4})
    files = model.export_onnx(tmp_path, n=4)
    scorer = onnxruntime.InferenceSession(files["scorer"])
    users, items = (grid.ravel() for grid in np.indices(matrix.shape))
    (scores,) = scorer.run(None, {"users": users, "items": items})
    everything = model.score(np.arange(n_users)).ravel()
    np.testing.assert_allclose(scores, everything, atol=1e-5, rtol=1e-5)
    best = onnxruntime.InferenceSession(files["top_n"])
    found, values = best.run(None, {"users": np.array([5, 0, 19])})
    ids, expected = model.recommend([5, 0, 19], n=4)
    np.testing.assert_allclose(values, expected, atol=1e-5, rtol=1e-5)
    np.testing.assert_array_equal(found, ids)


def test_weights_too_large_for_a_graphs_file_are_refused(model, tmp_path, monkeypatch):
    monkeypatch.setattr("cmn.export.LARGEST", 100)
    with pytest.raises(
        ParameterError, match=r"linear_l2 is 300\.0; the 45 x 45 weights are too large"
    ):
        model.export_onnx(tmp_path)
    assert list(tmp_path.iterdir()) == []
