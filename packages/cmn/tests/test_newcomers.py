"""Users and items that training has not seen: folded in, or learnt by partial_fit."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse

from cmn.errors import InteractionsError, NotFittedError
from cmn.growth import MemoryMap
from cmn.interactions import HeldOut
from cmn.recommender import CMN
from cmn.splits import leave_one_out

QUICK = {
    "embedding_dim": 8,
    "epochs": 4,
    "pretrain_epochs": 10,
    "pretrain_rate": 0.02,
    "learning_rate": 0.005,
    "batch_size": 64,
}


def grouped(n_users, seed):
    """Users in 3 groups who prefer their own third of 45 items."""
    generator = np.random.default_rng(seed)
    chance = np.full((n_users, 45), 0.03)
    for user in range(n_users):
        chance[user, user % 3 * 15 : user % 3 * 15 + 15] = 0.5
    return sparse.csr_array((generator.random((n_users, 45)) < chance).astype(np.float32))


@pytest.fixture(scope="module")
def model():
    return CMN(**QUICK).fit(grouped(90, 0))


def test_newcomers_are_ranked_about_as_well_as_if_they_had_been_trained_in(model):
    train, test = leave_one_out(grouped(300, 1), np.random.default_rng(0))
    newcomers = model.fold_in(train)
    folded = newcomers.evaluate(test)["ndcg@10"]
    trained = CMN(**QUICK).fit(train).evaluate(test, train)["ndcg@10"]
    assert folded > 0.9 * trained


def test_folding_in_changes_nothing_in_the_model_and_repeats_itself(model):
    before = model.score([0, 5])
    histories = grouped(4, 2)
    first, again = model.fold_in(histories), model.fold_in(histories)
    np.testing.assert_array_equal(first.score([0, 1, 2, 3]), again.score([0, 1, 2, 3]))
    np.testing.assert_array_equal(model.score([0, 5]), before)
    ids, scores = first.recommend([2], n=5)
    assert histories[[2]].toarray()[0, ids[0]].sum() == 0
    assert (np.diff(scores[0]) <= 0).all()


def test_newcomers_have_their_own_ids():
    users, items = grouped(60, 0).nonzero()
    table = pd.DataFrame({"user": [f"u{u}" for u in users], "item": [f"i{i}" for i in items]})
    model = CMN(**{**QUICK, "epochs": 1}).fit(table)
    newcomers = model.fold_in(pd.DataFrame({"user": ["eve"] * 2, "item": ["i3", "i7"]}))
    ids, _ = newcomers.recommend(["eve"], n=3)
    assert set(ids[0]).isdisjoint({"i3", "i7"})
    with pytest.raises(InteractionsError, match=r"items has 1 unknown ids \(the first is 'film'"):
        model.fold_in(pd.DataFrame({"user": ["eve"], "item": ["film"]}))
    with pytest.raises(InteractionsError, match=r"users has 1 unknown ids \(the first is 'u1'"):
        newcomers.recommend(["u1"])


def test_fold_in_needs_a_fitted_model_and_a_history(model):
    with pytest.raises(NotFittedError):
        CMN().fold_in(grouped(2, 0))
    with pytest.raises(InteractionsError, match="0 interactions"):
        model.fold_in(sparse.csr_array((2, 45)))
    with pytest.raises(InteractionsError, match="items has 1 unknown ids"):
        model.fold_in(sparse.csr_array(np.ones((1, 46))))


def test_a_memory_that_is_a_linear_function_of_histories_is_found():
    generator = np.random.default_rng(0)
    source, mixing = (generator.random(shape, np.float32) for shape in ((45, 5), (5, 3)))

    def image(matrix):
        return (matrix @ source) / np.maximum(matrix.sum(axis=1), 1)[:, None] @ mixing

    matrix, others = grouped(80, 4), grouped(40, 5)
    predict = MemoryMap(matrix, torch.from_numpy(source), torch.from_numpy(image(matrix)))
    errors = predict(others).numpy() - image(others)
    assert errors.std() < 0.1 * image(others).std()


def test_new_interactions_users_and_items_are_learnt():
    old = CMN(**QUICK).fit(grouped(90, 0))
    before = old.train_matrix.nnz
    # 6 new users of the first group, who all take a new item, 45, too
    newcomers = np.hstack([grouped(18, 7).toarray()[::3], np.ones((6, 1))])
    rows, columns = np.nonzero(newcomers)
    more = pd.DataFrame({"user": rows + 90, "item": columns})
    assert old.partial_fit(more) is old
    assert old.train_matrix.shape == (96, 46)
    assert old.train_matrix.nnz == before + rows.size
    ids, _ = old.recommend(np.arange(90, 96), n=5)
    assert np.mean(ids < 15) > 0.8  # their own group's items
    of_group = [old.score(np.arange(group, 90, 3), [45]).mean() for group in range(3)]
    assert of_group[0] > max(of_group[1:])
    assert np.isfinite(old.score(np.arange(96))).all()


def test_partial_fit_leaves_other_models_and_first_fits_alone(model):
    users, items = np.array([0, 1, 2]), np.array([44, 14, 0])
    more = sparse.csr_array((np.ones(3), (users, items)), (90, 45))
    fresh = CMN(**QUICK).fit(grouped(90, 0))
    network = fresh.network
    weights = network.user_memory.clone()
    fresh.partial_fit(more)
    assert fresh.network is not network
    np.testing.assert_array_equal(network.user_memory, weights)
    assert (fresh.train_matrix.toarray() >= more.toarray()).all()
    first = CMN(**QUICK).partial_fit(grouped(90, 0))
    np.testing.assert_array_equal(first.score([3]), model.score([3]))


def test_nothing_new_is_refused(model):
    known = model.train_matrix
    with pytest.raises(InteractionsError, match=f"all {known.nnz} interactions are known already"):
        model.partial_fit(known)


def test_similar_items_and_users_are_of_the_same_group(model):
    items, cosines = model.similar_items([0, 20], n=5)
    assert (items // 15 == [[0], [1]]).mean() > 0.8
    assert (np.diff(cosines, axis=1) <= 0).all()
    assert (items != [[0], [20]]).all()
    users, _ = model.similar_users([4], n=3)
    assert users.shape == (1, 3)
    with pytest.raises(ValueError, match="n is 45; 1 to 44 is allowed"):
        model.similar_items([0], n=45)


def test_a_held_out_newcomer_is_measured_by_row(model):
    newcomers = model.fold_in(grouped(3, 9))
    metrics = newcomers.evaluate(HeldOut(np.array([1]), np.array([17])))
    assert set(metrics) >= {"hr@10", "ndcg@10"}
