"""Whole-catalogue scores against the network called on every pair."""

import numpy as np
import pytest
import torch

from cmn import scoring
from cmn.model import CMNNetwork
from cmn.neighbourhoods import Neighbourhoods
from cmn.scoring import CatalogueScorer


def random_network(shape, hops):
    network = CMNNetwork(*shape, 6, hops).double()
    with torch.no_grad():
        for weight in network.parameters():
            weight.normal_(generator=torch.Generator().manual_seed(weight.numel()))
    return network


@pytest.mark.parametrize("hops", [1, 2, 3])
@pytest.mark.parametrize("budget", [1, 50, 2**19])
def test_scores_equal_the_network_on_every_pair(ragged_matrix, hops, budget, monkeypatch):
    monkeypatch.setattr(scoring, "NUMBERS_AT_A_TIME", budget)
    network = random_network(ragged_matrix.shape, hops)
    neighbourhoods = Neighbourhoods(ragged_matrix)
    rows = np.array([4, 0, 4, 8])
    scores = CatalogueScorer(network, neighbourhoods).score(rows)
    users = torch.from_numpy(rows).repeat_interleave(12)
    items = torch.arange(12).repeat(4)
    direct = network(users, items, neighbourhoods.gather(items)).detach().numpy().reshape(4, 12)
    np.testing.assert_allclose(scores, direct, rtol=1e-10, atol=1e-10)


def test_scores_follow_the_network_as_it_changes(ragged_matrix):
    network = random_network(ragged_matrix.shape, 2)
    scorer = CatalogueScorer(network, Neighbourhoods(ragged_matrix))
    before = scorer.score(np.array([0]))
    with torch.no_grad():
        network.output_weight.mul_(2)
    np.testing.assert_allclose(scorer.score(np.array([0])), 2 * before)
