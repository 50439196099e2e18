"""GMF: its formula, and that it learns."""

import numpy as np
import torch

from cmn.baselines.popularity import Popularity
from cmn.evaluation import evaluate
from cmn.hyperparameters import Hyperparameters
from cmn.pretrain import GMF, GMFTrainer
from cmn.sampling import NegativeSampler
from cmn.splits import leave_one_out


def test_scores_are_the_weighted_product_of_the_factors():
    gmf = GMF(4, 5, 3, torch.Generator().manual_seed(0))
    m, e, v = (
        weight.detach().numpy()
        for weight in (gmf.user_factors, gmf.item_factors, gmf.output_weight)
    )
    scores = gmf(torch.tensor([1, 3]), torch.tensor([[0, 4], [2, 2]])).detach().numpy()
    expected = [[sum(v * m[1] * e[i]) for i in (0, 4)], [sum(v * m[3] * e[2])] * 2]
    np.testing.assert_allclose(scores, expected, rtol=1e-5)
    catalogue = gmf.score(np.array([3]))
    np.testing.assert_allclose(catalogue[0], [sum(v * m[3] * e[i]) for i in range(5)], rtol=1e-5)


def test_training_beats_popularity_on_data_with_groups(blocks):
    train, held_out = leave_one_out(blocks, np.random.default_rng(0))
    gmf = GMF(*train.shape, 8, torch.Generator().manual_seed(0))
    settings = Hyperparameters(pretrain_rate=0.02, batch_size=64)
    trainer = GMFTrainer(gmf, NegativeSampler(train), settings, np.random.default_rng(0))
    losses = [trainer.train_epoch(number) for number in range(15)]
    assert losses[-1] < losses[0]
    popularity = evaluate(Popularity().fit(train), held_out, train)
    assert evaluate(gmf, held_out, train)["ndcg@10"] > popularity["ndcg@10"]
