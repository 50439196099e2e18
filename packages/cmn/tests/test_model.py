"""The network against an independent padded reference in float64: scores and all gradients."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from cmn.model import CMNNetwork
from cmn.neighbourhoods import Neighbourhoods
from cmn.scoring import CatalogueScorer
from cmn.segments import Ragged

spec = importlib.util.spec_from_file_location(
    "padded_reference", Path(__file__).with_name("padded_reference.py")
)
reference = importlib.util.module_from_spec(spec)
spec.loader.exec_module(reference)

HOPS = [1, 2, 3, 4]


def network_and_weights(shape, hops, d=5, **variant):
    """A float64 network with large random weights, and leaf copies of them for the reference."""
    network = CMNNetwork(*shape, d, hops, **variant).double()
    generator = torch.Generator().manual_seed(hops)
    with torch.no_grad():
        for weight in network.parameters():
            weight.normal_(generator=generator)

    def leaf(tensor):
        return tensor.detach().clone().requires_grad_()

    matrix = network.output_layer.weight
    weights = {
        "M": leaf(network.user_memory),
        "E": leaf(network.item_memory),
        "C": leaf(network.external_memory),
        "hops": [(leaf(layer.weight), leaf(layer.bias)) for layer in network.hop_layers],
        "U": leaf(matrix[:, :d]),
        "W": leaf(matrix[:, d:]),
        "b": leaf(network.output_layer.bias),
        "v": leaf(network.output_weight),
    }
    return network, weights


def all_pairs(matrix):
    n_users, n_items = matrix.shape
    users = torch.arange(n_users).repeat_interleave(n_items)
    items = torch.arange(n_items).repeat(n_users)
    dense = matrix.toarray()
    lists = [np.flatnonzero(dense[:, item]).tolist() for item in items.tolist()]
    return users, items, lists


@pytest.mark.parametrize("hops", HOPS)
def test_scores_equal_padded_and_loop_references(ragged_matrix, hops):
    network, weights = network_and_weights(ragged_matrix.shape, hops)
    users, items, lists = all_pairs(ragged_matrix)
    assert {0, 1} <= {len(members) for members in lists}
    scores = network(users, items, Neighbourhoods(ragged_matrix).gather(items)).detach()
    padded = reference.padded_scores(weights, users, items, lists).detach()
    looped = [
        reference.loop_score(weights, user, item, members)
        for user, item, members in zip(users.tolist(), items.tolist(), lists, strict=True)
    ]
    torch.testing.assert_close(scores, padded, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(scores, looped, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(
    ("attention", "activation"), [("uniform", "relu"), ("softmax", "linear"), ("uniform", "linear")]
)
def test_ablations_equal_the_padded_reference(ragged_matrix, attention, activation):
    variant = {"attention": attention, "activation": activation}
    network, weights = network_and_weights(ragged_matrix.shape, 3, **variant)
    users, items, lists = all_pairs(ragged_matrix)
    scores = network(users, items, Neighbourhoods(ragged_matrix).gather(items)).detach()
    attend, cut = attention == "softmax", activation == "relu"
    padded = reference.padded_scores(weights, users, items, lists, attend=attend, cut=cut).detach()
    torch.testing.assert_close(scores, padded, rtol=1e-10, atol=1e-10)
    catalogue = CatalogueScorer(network, Neighbourhoods(ragged_matrix)).score(np.arange(9))
    np.testing.assert_allclose(catalogue.ravel(), padded, rtol=1e-10, atol=1e-10)


def test_gradcheck_of_the_whole_network():
    matrix = sparse.csr_array(np.array([[1, 0, 1], [1, 0, 0], [0, 0, 1], [1, 0, 1]]))
    network, _ = network_and_weights(matrix.shape, hops=2, d=3)
    neighbours = Neighbourhoods(matrix).gather(torch.tensor([0, 1, 2, 2]))
    users, items = torch.tensor([3, 0, 1, 2]), torch.tensor([0, 1, 2, 2])
    names = [name for name, _ in network.named_parameters()]

    def scores(*weights):
        given = dict(zip(names, weights, strict=True))
        return torch.func.functional_call(network, given, (users, items, neighbours))

    assert torch.autograd.gradcheck(scores, tuple(network.parameters()))


@pytest.mark.parametrize("hops", HOPS)
def test_gradients_equal_those_of_the_padded_reference(ragged_matrix, hops):
    network, weights = network_and_weights(ragged_matrix.shape, hops)
    users, items, lists = all_pairs(ragged_matrix)
    factors = torch.linspace(-1, 1, len(users)).double()
    scores = network(users, items, Neighbourhoods(ragged_matrix).gather(items))
    (scores * factors).sum().backward()
    (reference.padded_scores(weights, users, items, lists) * factors).sum().backward()
    ours = [network.user_memory, network.item_memory, network.external_memory]
    theirs = [weights["M"], weights["E"], weights["C"]]
    for layer, (matrix, bias) in zip(network.hop_layers, weights["hops"], strict=True):
        ours += [layer.weight, layer.bias]
        theirs += [matrix, bias]
    for mine, other in zip(
        [*(weight.grad for weight in ours), network.output_layer.weight.grad],
        [*(w.grad for w in theirs), torch.cat([weights["U"].grad, weights["W"].grad], dim=1)],
        strict=True,
    ):
        torch.testing.assert_close(mine, other, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(network.output_layer.bias.grad, weights["b"].grad)
    torch.testing.assert_close(network.output_weight.grad, weights["v"].grad)
    assert all(weight.grad.abs().sum() > 0 for weight in network.parameters())


@settings(deadline=None)
@given(st.permutations(range(7)), st.sampled_from(HOPS))
def test_the_order_of_neighbours_does_not_matter(order, hops):
    network, _ = network_and_weights((7, 3), hops)
    lengths = torch.tensor([7])
    pair = torch.tensor([2]), torch.tensor([1])
    straight = network(*pair, Ragged.from_lengths(torch.arange(7), lengths))
    permuted = network(*pair, Ragged.from_lengths(torch.tensor(order), lengths))
    torch.testing.assert_close(straight, permuted, rtol=1e-12, atol=1e-12)


def test_an_empty_neighbourhood_reads_as_zero_and_a_single_member_reads_as_its_memory():
    network, weights = network_and_weights((4, 2), hops=1)
    users, items = torch.tensor([0, 0]), torch.tensor([1, 1])
    lists = Ragged.from_lengths(torch.tensor([3]), torch.tensor([0, 1]))
    scores = network(users, items, lists)
    base = weights["U"] @ (weights["M"][0] * weights["E"][1]) + weights["b"]
    for score, read in zip(scores, [torch.zeros(5).double(), weights["C"][3]], strict=True):
        expected = torch.relu(base + weights["W"] @ read) @ weights["v"]
        torch.testing.assert_close(score, expected)


def test_initial_values_are_those_of_the_paper():
    network = CMNNetwork(2000, 300, 40, hops=3, generator=torch.Generator().manual_seed(0))
    external = network.external_memory.detach()
    assert external.abs().max() <= 0.02
    assert external.std() == pytest.approx(0.0088, rel=0.02)  # sd .01 cut at two sd
    for layer in network.hop_layers:
        assert layer.weight.std().item() == pytest.approx((2 / 40) ** 0.5, rel=0.1)
        assert (layer.bias == 1).all()
    assert network.output_layer.weight.std().item() == pytest.approx((2 / 80) ** 0.5, rel=0.1)
    assert (network.output_layer.bias == 0).all()
    assert network.output_weight.abs().max() <= (6 / 41) ** 0.5


def test_memories_start_at_half_of_the_pretrained_factors():
    network = CMNNetwork(3, 2, 4, hops=1)
    network.start_from(torch.full((3, 4), 2.0), torch.full((2, 4), -6.0))
    assert (network.user_memory == 1).all()
    assert (network.item_memory == -3).all()


def test_the_number_of_parameters_is_that_of_the_paper():
    count = sum(weight.numel() for weight in CMNNetwork(11, 7, 5, hops=3).parameters())
    assert count == 2 * 11 * 5 + 7 * 5 + 2 * (25 + 5) + 2 * 25 + 2 * 5
