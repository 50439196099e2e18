"""What must hold for any data: order means nothing, and odd sizes are no obstacle."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from cmn.candidates import CandidateScorer
from cmn.model import CMNNetwork
from cmn.neighbourhoods import Neighbourhoods
from cmn.scoring import CatalogueScorer


def network_of(shape, hops):
    start = torch.Generator().manual_seed(0)
    network = CMNNetwork(*shape, 5, hops, start).requires_grad_(False)
    network.user_memory.mul_(80)  # attention that is far from uniform
    return network


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**16), st.integers(1, 3))
def test_permuting_users_and_items_permutes_scores(seed, hops):
    generator = np.random.default_rng(seed)
    dense = generator.random((9, 7)) < 0.4
    matrix = sparse.csr_array(dense.astype(np.float32))
    network = network_of(dense.shape, hops)
    scores = CatalogueScorer(network, Neighbourhoods(matrix)).score(np.arange(9))
    rows, columns = generator.permutation(9), generator.permutation(7)
    twin = network_of(dense.shape, hops)
    twin.user_memory.copy_(network.user_memory[rows])
    twin.external_memory.copy_(network.external_memory[rows])
    twin.item_memory.copy_(network.item_memory[columns])
    moved = Neighbourhoods(sparse.csr_array(matrix[rows][:, columns]))
    again = CatalogueScorer(twin, moved).score(np.arange(9))
    np.testing.assert_allclose(again, scores[rows][:, columns], atol=1e-5)


@pytest.mark.parametrize("members", [0, 1, 10_000])
def test_candidates_equal_the_catalogue_whatever_the_neighbourhoods_size(members):
    dense = np.zeros((10_000, 3), np.float32)
    dense[:members, 0] = dense[3, 1] = 1  # the third item is never seen
    neighbourhoods = Neighbourhoods(sparse.csr_array(dense))
    network = network_of(dense.shape, hops=2)
    users = np.array([0, 3, 9_999])
    everything = CatalogueScorer(network, neighbourhoods).score(users)
    assert np.isfinite(everything).all()
    order = np.array([[2, 0, 1], [0, 1, 2], [1, 2, 0]])
    some = CandidateScorer(network, neighbourhoods).score(users, order)
    np.testing.assert_allclose(some, np.take_along_axis(everything, order, axis=1), atol=1e-5)
