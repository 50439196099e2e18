"""The evidence network: its equation, its calibration, and the estimator round it."""

import numpy as np
import pytest
import torch
from scipy import sparse

from cmn.baselines.ease import EASE
from cmn.baselines.popularity import Popularity
from cmn.calibration import RANDOM, Range, Shortlists, pattern_search, shortlists
from cmn.contrastive import ContrastiveTrainer
from cmn.evaluation import evaluate
from cmn.evidence import WalkEvidence
from cmn.evidence_fitting import build_evidence_network, build_evidence_scorer
from cmn.evidence_network import EvidenceNetwork
from cmn.evidence_scoring import EvidenceScorer, LeftOutScorer
from cmn.hyperparameters import Hyperparameters
from cmn.optimisers import RowAdam
from cmn.recommender import CMN
from cmn.splits import leave_one_out

SETTINGS = Hyperparameters(protocol="best", embedding_dim=6, linear_l2=5.0)
QUICK = {"protocol": "best", "embedding_dim": 8, "epochs": 3, "batch_size": 64, "linear_l2": 20.0}


@pytest.fixture
def network(ragged_matrix):
    network = build_evidence_network(
        *ragged_matrix.shape, SETTINGS, torch.Generator().manual_seed(0)
    )
    network.set_scalars(
        {"gamma": 1.3, "delta": 0.4, "beta": 0.3, "log_floor": -3.0, "affinity": 0.7, "items": 0.9}
    )
    return network


def test_a_score_is_the_equation(ragged_matrix, network):
    scorer = build_evidence_scorer(network, ragged_matrix, SETTINGS)
    dense, found = ragged_matrix.toarray(), scorer.score(np.arange(9))
    walks = scorer.evidence.rows(np.arange(9)).toarray()
    linear = EASE(SETTINGS.linear_l2).fit(ragged_matrix).score(np.arange(9))
    memories = [m.detach().numpy() for m in (network.user_memory, network.item_memory)]
    for u in range(9):
        for i in range(12):
            members = [v for v in range(9) if dense[v, i] and walks[u, v] > 0]
            mass = sum(walks[u, v] ** 1.3 * dense[v].sum() ** -0.4 for v in members)
            user, item = memories[0][u], memories[1][i]
            cosine = user @ item / np.linalg.norm(user) / np.linalg.norm(item)
            expected = np.log(mass + np.exp(-3)) - 0.3 * np.log(max(1, dense[:, i].sum()))
            expected += 0.7 * cosine / SETTINGS.temperature + 0.9 * np.arcsinh(linear[u, i] / 0.02)
            assert found[u, i] == pytest.approx(expected, rel=1e-4, abs=1e-4)


def test_the_search_finds_a_peak_and_never_ends_below_its_start():
    ranges = {"x": Range(-2.0, 2.0, 0.5), "y": Range(0.0, 1.0, 0.5)}
    tried = []

    def peak(at):
        tried.append(at)
        return -abs(at["x"] - 1.25) - abs(at["y"] - 3.0) - at["z"]

    best, value = pattern_search(peak, {"x": -1.0, "y": 0.0, "z": 7.0}, ranges)
    assert best == {"x": 1.25, "y": 1.0, "z": 7.0}
    assert value == peak(best) == max(peak(at) for at in list(tried))
    assert pattern_search(lambda _: 1.0, {"x": 0.3}, {"x": ranges["x"]}) == ({"x": 0.3}, 1.0)


def test_shortlists_measure_what_full_ranking_measures(blocks):
    train, held_out = leave_one_out(blocks, np.random.default_rng(5))
    network = build_evidence_network(*train.shape, SETTINGS, torch.Generator().manual_seed(0))
    scorer = build_evidence_scorer(network, train, SETTINGS)
    lists = shortlists(scorer, held_out, np.random.default_rng(0))
    assert not lists.valid[:, 0].any()
    for weights in ({}, {"log_floor": -3.0, "beta": -0.2, "affinity": 0.4, "items": 1.1}):
        network.set_scalars(weights)
        alone = Shortlists(lists.reads, lists.valid.copy())
        alone.valid[:, 1 : 1 + RANDOM] = False  # no rival drawn: this half of the value is one
        expected = evaluate(scorer, held_out, train)["ndcg@10"]
        assert alone.value(network) - 1 == pytest.approx(expected, abs=1e-6)


def test_the_contrastive_loss_is_a_softmax_over_cosines(ragged_matrix, network):
    trainer = ContrastiveTrainer(network, ragged_matrix, SETTINGS, np.random.default_rng(0))
    users, items, shared = np.array([1, 4]), np.array([8, 8]), np.array([0, 2, 2, 5, 11])
    with torch.no_grad():
        cosines = network.affinities(torch.from_numpy(users)).numpy().astype(np.float64)
    losses = []
    for row, (user, item) in enumerate(zip(users, items, strict=True)):
        rivals = [k for k in shared if ragged_matrix.toarray()[user, k] == 0]
        total = np.exp(cosines[row, item]) + sum(np.exp(cosines[row, k]) for k in rivals)
        losses.append(np.log(total) - cosines[row, item])
    assert trainer.loss(users, items, shared).item() == pytest.approx(np.mean(losses), rel=1e-5)


def test_row_adam_is_adam_whose_rows_rest_while_not_looked_up():
    table = torch.randn(5, 3, generator=torch.Generator().manual_seed(0)).double()
    expected = table.numpy().copy()
    mean, square = np.zeros((5, 3)), np.zeros((5, 3))
    adam = RowAdam([table])
    for step, rows in enumerate(([0, 2, 2], [4], [2, 0]), start=1):
        adam.minimise((adam.look_up(0, np.array(rows)) ** 3).sum(), 0.1)
        for row in set(rows):
            gradient = rows.count(row) * 3 * expected[row] ** 2
            mean[row] = 0.9 * mean[row] + 0.1 * gradient
            square[row] = 0.999 * square[row] + 0.001 * gradient**2
            size = np.sqrt(square[row] / (1 - 0.999**step)) + 1e-8
            expected[row] -= 0.1 * mean[row] / (1 - 0.9**step) / size
    np.testing.assert_allclose(table.numpy(), expected, rtol=1e-10)


def test_the_best_protocol_learns_saves_and_resumes(blocks, tmp_path):
    train, test = leave_one_out(blocks, np.random.default_rng(5))
    heard = []
    model = CMN(**QUICK).fit(train, report=heard.append, checkpoint=tmp_path / "state")
    assert [epoch.phase for epoch in heard] == ["memories"] * 3 + ["evidence", "blend"]
    assert model.train_matrix.nnz == train.nnz  # what was cut off for validation is learnt again
    popularity = evaluate(Popularity().fit(train), test, train)
    assert model.evaluate(test, seen=train)["ndcg@10"] > 1.3 * popularity["ndcg@10"]
    again = CMN(**QUICK).fit(train, checkpoint=tmp_path / "state")
    model.save(tmp_path / "model")
    loaded = CMN.load(tmp_path / "model")
    for other in (again, loaded):
        np.testing.assert_array_equal(other.score([0, 7, 59]), model.score([0, 7, 59]))
    ids, _ = loaded.recommend([3], n=5)
    assert not set(ids[0]) & set(train[[3]].indices)


def test_an_edge_left_out_leaves_the_scores_of_the_graph_without_it(blocks):
    network = EvidenceNetwork(*blocks.shape, 4, alpha=0.6, beta=0.3, temperature=0.1)
    network.set_scalars({"gamma": 1.4, "delta": 0.7, "log_floor": -9.0})
    users = np.array([4, 30, 59])
    items = np.array([blocks[[user]].indices[1] for user in users])
    scorer = EvidenceScorer(network, WalkEvidence(blocks, 0.6))
    found = LeftOutScorer(scorer, users, items).score(users)
    for user, item, scores in zip(users, items, found, strict=True):
        without = blocks.tolil()
        without[user, item] = 0
        graph = sparse.csr_array(without.tocsr())
        expected = EvidenceScorer(network, WalkEvidence(graph, 0.6)).score(np.array([user]))[0]
        np.testing.assert_allclose(scores, expected, atol=1e-5)


def test_evidence_can_be_searched_by_training_edges(blocks):
    reports = []
    model = CMN(protocol="best", embedding_dim=4, epochs=1, evidence_from="training")
    model.fit(blocks, report=reports.append)
    assert [epoch.phase for epoch in reports] == ["memories", "evidence", "blend"]
    assert model.network.gamma != 1.0 or model.network.alpha != 0.5


def test_no_search_ends_below_its_start_on_validation(blocks):
    train, validation = leave_one_out(blocks, np.random.default_rng(5))
    network = build_evidence_network(*train.shape, SETTINGS)
    start = evaluate(build_evidence_scorer(network, train, SETTINGS), validation, train)
    heard = []
    CMN(**QUICK).fit(train, validation, heard.append)
    evidence, blend = heard[-2:]
    assert start["ndcg@10"] <= evidence.metrics["ndcg@10"] <= blend.metrics["ndcg@10"]
