"""Explanations: the network's own attention, and what a neighbour's absence would really cost."""

import json
import sys

import numpy as np
import pytest
import torch
from scipy import sparse

from cmn.errors import InteractionsError, MissingDependencyError, ParameterError
from cmn.explain import Explanation, trace
from cmn.model import CMNNetwork
from cmn.neighbourhoods import Neighbourhoods
from cmn.plots import plot_attention, plot_comparison
from cmn.recommender import CMN


@pytest.fixture(scope="module")
def model():
    dense = np.random.default_rng(3).random((30, 20)) < 0.3
    dense[:, 4] = False  # an item without users
    dense[:, 5] = False
    dense[7, 5] = True  # and one with a single one
    return CMN(embedding_dim=6, hops=3, epochs=2, pretrain_epochs=3).fit(sparse.csr_array(dense))


def test_weights_are_the_papers_formula_computed_with_loops(model):
    explanation = model.explain(3, 0)
    network = model.network
    memory, external = (
        part.detach().double().numpy() for part in (network.user_memory, network.external_memory)
    )
    item = network.item_memory[0].detach().double().numpy()
    members = model.train_matrix.toarray()[:, 0].nonzero()[0]
    query = memory[3] + item
    expected = []
    for hop in range(3):
        logits = np.array([query @ memory[v] for v in members])
        weights = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
        expected.append(dict(zip(members.tolist(), weights, strict=True)))
        output = sum(w * external[v] for w, v in zip(weights, members, strict=True))
        if hop < 2:
            layer = network.hop_layers[hop]
            weight, bias = layer.weight.detach().numpy(), layer.bias.detach().numpy()
            query = np.maximum(weight @ query + output + bias, 0)
    for hop, row in enumerate(explanation.weights):
        found = dict(zip(explanation.neighbours.tolist(), row, strict=True))
        assert found == pytest.approx(expected[hop], abs=1e-5)
    np.testing.assert_allclose(explanation.weights.sum(axis=1), 1, atol=1e-6)
    assert explanation.score == pytest.approx(float(model.score([3])[0, 0]), abs=1e-5)
    assert (np.diff(explanation.weights[-1]) <= 0).all()


def test_an_effect_is_what_the_score_loses_when_the_neighbour_is_deleted(model):
    explanation = model.explain(3, 0)
    users, items = torch.tensor([3]), torch.tensor([0])
    for place, neighbour in enumerate(explanation.neighbours[:4].tolist()):
        without = model.train_matrix.tolil()
        without[neighbour, 0] = 0
        rest = Neighbourhoods(sparse.csr_array(without.tocsr()))
        score = model.network(users, items, rest.gather(items)).item()
        assert explanation.effects[place] == pytest.approx(explanation.score - score, abs=1e-5)


def test_what_user_and_neighbour_share(model):
    explanation = model.explain(3, 0)
    dense = model.train_matrix.toarray()
    popularity = dense.sum(axis=0)
    for place, neighbour in enumerate(explanation.neighbours.tolist()):
        common = np.flatnonzero(dense[3] * dense[neighbour])
        assert explanation.shared[place] == common.size
        rarest = sorted(common.tolist(), key=lambda item: (popularity[item], item))[:3]
        assert explanation.shared_items[place] == rarest


@pytest.mark.parametrize(("item", "size", "told"), [(4, 0, "0 users"), (5, 1, "1 user")])
def test_items_with_no_or_one_user_are_explained_too(model, item, size, told, tmp_path):
    explanation = model.explain(3, item)
    assert explanation.weights.shape == (3, size)
    assert explanation.entropies.tolist() == [0, 0, 0]
    assert "-0.00, " not in explanation.text()
    assert f"if its {told} said nothing" in explanation.text()
    assert explanation.score == pytest.approx(float(model.score([3])[0, item]), abs=1e-5)
    if size == 0:
        assert explanation.score == explanation.without_memory
        with pytest.raises(ParameterError, match="item 4 has no users; there is nothing to draw"):
            plot_attention(explanation, tmp_path / "a.svg")


def test_text_and_json_say_the_same(model):
    explanation = model.explain(3, 0)
    facts = json.loads(json.dumps(explanation.to_dict(top=2)))
    assert len(facts["neighbours"]) == 2
    assert facts["neighbourhood"] == explanation.neighbours.size
    lines = explanation.text(top=2).splitlines()
    assert len(lines) == 1 + 1 + 2 + 1
    assert str(facts["neighbours"][0]["user"]) == lines[2].split()[0]


def test_equal_weights_spread_fully_and_one_neighbour_not_at_all():
    weights = np.array([[0.25] * 4, [1, 0, 0, 0]], np.float32)
    ids = np.arange(4)
    explanation = Explanation(0, 1, 0.5, 0.1, ids, weights, weights[0], ids, [[]] * 4)
    assert explanation.entropies.tolist() == pytest.approx([1, 0])


def test_unknown_ids_are_refused(model):
    with pytest.raises(InteractionsError, match=r"items has 1 unknown ids \(the first is 20\)"):
        model.explain(0, 20)


def test_pictures_are_drawn_without_a_window(model, tmp_path):
    plot_attention(model.explain(3, 0), tmp_path / "a.png")
    values = {"ease": 0.2, "cmn": 0.3}
    plot_comparison(
        values,
        {name: (v - 0.01, v + 0.02) for name, v in values.items()},
        "ndcg@10",
        tmp_path / "b.png",
    )
    for name in ("a.png", "b.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")


def test_without_matplotlib_one_sentence_says_what_to_install(model, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingDependencyError, match=r"plots need matplotlib.*cmn\[plot\]"):
        plot_attention(model.explain(3, 0), tmp_path / "a.png")


def test_ten_thousand_neighbours():
    matrix = sparse.csr_array(np.ones((10_000, 1), np.float32))
    network = CMNNetwork(10_000, 1, 4, 2, torch.Generator().manual_seed(0)).requires_grad_(False)
    pair = trace(network, Neighbourhoods(matrix), 5, 0)
    assert pair.weights.shape == (2, 10_000)
    np.testing.assert_allclose(pair.weights.sum(axis=1), 1, atol=1e-4)
    assert pair.effects.size == 50
