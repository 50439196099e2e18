"""The evidence network: one score in all its forms, gradients, and the estimator round it."""

import numpy as np
import pytest
import torch

from cmn.baselines.popularity import Popularity
from cmn.calibration import TOP, examples, smooth_loss
from cmn.contrastive import ContrastiveTrainer
from cmn.evaluation import evaluate
from cmn.evidence_fitting import build_evidence_network, build_evidence_scorer
from cmn.evidence_network import Candidates
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
    network.centre(torch.tensor(-1.5), torch.tensor(1.2))
    values = {"gamma": 1.3, "delta": 0.4, "beta": 0.3, "mass": 2.0, "affinity": 0.7, "items": 0.9}
    with torch.no_grad():
        for name, value in values.items():
            getattr(network, name).fill_(value)
    return network


@pytest.mark.parametrize("inside", [False, True])
def test_candidates_score_as_in_the_whole_catalogue(ragged_matrix, network, inside):
    scorer = build_evidence_scorer(network, ragged_matrix, SETTINGS)
    users = np.array([1, 4, 6])
    items = np.array([np.flatnonzero(row)[0] for row in ragged_matrix[users].toarray()])
    generator = np.random.default_rng(0)
    (example,) = examples(network, scorer, (users, items), inside=inside, generator=generator)
    scores = network(example.candidates).detach().numpy()
    rows = scorer.evidence.rows(users, items if inside else None)
    whole = scorer.from_rows(users, rows)
    if inside:  # the target's popularity without this edge
        degrees = scorer.evidence.item_degrees[items]
        whole[np.arange(3), items] -= (
            2.0 * 0.3 * (np.log(np.maximum(degrees - 1, 1)) - np.log(degrees))
        )
    np.testing.assert_allclose(scores[:, 0], whole[np.arange(3), items], rtol=1e-4)
    top = np.sort(scores[:, 1 : 1 + min(TOP, 12)], axis=1)
    np.testing.assert_allclose(top, np.sort(whole if not inside else top, axis=1), rtol=1e-4)


def test_gradcheck_of_the_scalars():
    matrix_free = Candidates(
        torch.tensor([-1.0, -2.0, -0.5, -1.2]).double(),
        torch.tensor([0.5, 1.0, 0.2, 2.0]).double(),
        torch.tensor([0, 0, 2, 3]),
        torch.tensor([[0.1, 0.7], [0.3, 1.1]]).double(),
        torch.tensor([[1.0, -2.0], [0.5, 0.1]]).double(),
        torch.tensor([[0.2, 0.0], [1.5, -0.3]]).double(),
    )
    network = build_evidence_network(3, 4, SETTINGS).double()
    network.centre(torch.tensor(-1.0), torch.tensor(0.5))
    names = list(network.scalars())
    with torch.no_grad():
        network.affinity.fill_(0.5)
        network.items.fill_(0.4)

    def scores(*values):
        given = dict(zip(names, values, strict=True))
        return torch.func.functional_call(network, given, (matrix_free,))

    assert torch.autograd.gradcheck(scores, tuple(network.scalars().values()))


def test_the_smooth_loss_falls_as_the_target_rises():
    rivals = torch.linspace(-3, 3, 301).repeat(2, 1)
    valid = torch.ones(2, 301, dtype=torch.bool)
    valid[:, 0] = False
    losses = []
    for target in (-5.0, 0.0, 2.9, 9.0):
        rivals[:, 0] = target
        losses.append(smooth_loss(rivals, valid, 1.0).item())
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 0.05


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
