"""The estimator: learns, repeats itself, recommends, survives saving, refuses nonsense."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone

from cmn.baselines.popularity import Popularity
from cmn.errors import (
    InteractionsError,
    ModelFileError,
    NotFittedError,
    ParameterError,
    TrainingDivergedError,
)
from cmn.evaluation import evaluate
from cmn.recommender import CMN
from cmn.splits import leave_one_out

QUICK = {
    "embedding_dim": 8,
    "epochs": 4,
    "pretrain_epochs": 10,
    "pretrain_rate": 0.02,
    "learning_rate": 0.005,
    "batch_size": 64,
    "l2": 1e-3,
}


@pytest.fixture
def fitted(blocks):
    return CMN(**QUICK).fit(blocks)


def test_it_beats_popularity_on_data_with_groups(blocks):
    train, test = leave_one_out(blocks, np.random.default_rng(5))
    model = CMN(**QUICK).fit(train)
    popularity = evaluate(Popularity().fit(train), test, train)
    assert model.evaluate(test, seen=train)["ndcg@10"] > 1.3 * popularity["ndcg@10"]


def test_one_seed_gives_one_model_and_another_seed_another(blocks, fitted):
    users = [0, 30, 59]
    again, other = CMN(**QUICK).fit(blocks), CMN(**QUICK, seed=1).fit(blocks)
    np.testing.assert_array_equal(again.score(users), fitted.score(users))
    assert not np.allclose(other.score(users), fitted.score(users))


def test_validation_is_cut_off_the_training_data(blocks, fitted):
    assert fitted.train_matrix.nnz == blocks.nnz - (np.diff(blocks.indptr) >= 2).sum()


def test_given_validation_is_what_the_epoch_is_chosen_by(blocks):
    train, validation = leave_one_out(blocks, np.random.default_rng(1))
    epochs = []
    model = CMN(**QUICK).fit(train, validation, epochs.append)
    assert model.train_matrix.nnz == train.nnz
    best = max((e for e in epochs if e.phase == "train"), key=lambda e: e.metrics["ndcg@10"])
    assert (model.best_epoch_, model.validation_metrics_) == (best.number, best.metrics)
    assert model.evaluate(validation) == pytest.approx(best.metrics)


def test_recommendations_are_the_best_unseen_items_best_first(fitted):
    users = np.array([3, 50])
    ids, scores = fitted.recommend(users, n=4)
    everything = fitted.score(users)
    for row, user in enumerate(users):
        unseen = fitted.train_matrix.toarray()[user] == 0
        best = sorted(np.flatnonzero(unseen), key=lambda item: -everything[row, item])[:4]
        assert ids[row].tolist() == best
        np.testing.assert_array_equal(scores[row], everything[row, best])


def test_no_user_has_no_scores(fitted):
    assert fitted.score([]).shape == (0, fitted.train_matrix.shape[1])


def test_seen_items_may_be_asked_for(fitted):
    ids, _ = fitted.recommend([3], n=45, filter_seen=False)
    assert sorted(ids[0]) == list(range(45))


def test_a_user_without_enough_candidates_gets_minus_one(fitted):
    ids, scores = fitted.recommend([3], n=45)
    seen = np.diff(fitted.train_matrix.indptr)[3]
    assert (ids[0] == -1).sum() == seen
    assert np.isneginf(scores[0][ids[0] == -1]).all()


def test_a_saved_model_scores_the_same(fitted, tmp_path):
    fitted.save(tmp_path / "model", notes={"data": "blocks"})
    loaded = CMN.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.score([1, 2]), fitted.score([1, 2]))
    assert loaded.get_params() == fitted.get_params()
    assert loaded.notes_ == {"data": "blocks"}
    assert loaded.best_epoch_ == fitted.best_epoch_


@pytest.mark.parametrize(
    "changes", [{"hops": 3}, {"embedding_dim": 16}, {"activation": "linear"}, {"protocol": "best"}]
)
def test_settings_changed_after_the_fit_are_the_next_fits(fitted, tmp_path, changes):
    scores = fitted.score([1, 2])
    fitted.set_params(**changes).save(tmp_path)
    loaded = CMN.load(tmp_path)
    np.testing.assert_array_equal(loaded.score([1, 2]), scores)
    assert {name: getattr(loaded, name) for name in QUICK} == QUICK


def test_a_loaded_model_keeps_its_notes_when_it_is_saved_again(fitted, tmp_path):
    fitted.save(tmp_path / "one", notes={"data": "blocks"})
    CMN.load(tmp_path / "one").save(tmp_path / "two")
    assert CMN.load(tmp_path / "two").notes_ == {"data": "blocks"}


def test_a_model_whose_config_contradicts_its_weights_is_refused(fitted, tmp_path):
    fitted.save(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    for change in ({"shape": [2, 2]}, {"shape": 5}, {"hyperparameters": {"hops": 3}}):
        (tmp_path / "config.json").write_text(json.dumps({**config, **change}))
        with pytest.raises(ModelFileError, match="is corrupt"):
            CMN.load(tmp_path)


def test_pretraining_can_be_left_out(blocks):
    model = CMN(**{**QUICK, "pretrain_epochs": 0, "epochs": 1}).fit(blocks)
    assert np.isfinite(model.score([0])).all()


def test_items_without_users_and_users_without_items_are_no_obstacle():
    dense = np.random.default_rng(0).random((12, 10)) < 0.4
    dense[:, 4] = False
    dense[7] = False
    model = CMN(**{**QUICK, "epochs": 1}).fit(sparse.csr_array(dense))
    assert np.isfinite(model.score([7])).all()
    assert model.recommend([7], n=10)[0].min() == 0


def test_a_diverging_fit_says_so_and_leaves_the_model_unfitted(blocks):
    model = CMN(**{**QUICK, "pretrain_rate": 1e30})
    with pytest.raises(TrainingDivergedError, match="lower learning"):
        model.fit(blocks)
    with pytest.raises(NotFittedError):
        model.save("nowhere")


def test_bad_arguments_are_refused(blocks, fitted):
    with pytest.raises(NotFittedError, match="call fit"):
        CMN().recommend([0])
    with pytest.raises(
        InteractionsError, match=r"1 unknown ids \(the first is 60\); 60 are known, 0 to 59"
    ):
        fitted.recommend([60])
    with pytest.raises(ParameterError, match="n is 0; 1 to 45, the number of candidates"):
        fitted.recommend([0], n=0)
    with pytest.raises(ParameterError, match="hops is 0"):
        CMN(hops=0)
    with pytest.raises(InteractionsError, match="NaN"):
        CMN().fit(blocks * np.nan)
    with pytest.raises(InteractionsError, match="0 interactions"):
        CMN().fit(sparse.csr_array((4, 4)))


@pytest.fixture
def readers(blocks):
    """The same data as a table whose ids are words."""
    users, items = blocks.nonzero()
    return pd.DataFrame({"user": [f"u{u:02}" for u in users], "item": [f"i{i:02}" for i in items]})


def test_ids_are_the_callers_own_and_are_saved_with_the_model(readers, fitted, tmp_path):
    model = CMN(**QUICK).fit(readers)
    ids, scores = model.recommend(["u03", "u50"], n=4)
    numbers, same = fitted.recommend([3, 50], n=4)
    assert ids.tolist() == [[f"i{i:02}" for i in row] for row in numbers]
    np.testing.assert_array_equal(scores, same)
    model.save(tmp_path)
    again = CMN.load(tmp_path)
    assert again.recommend(["u03", "u50"], n=4)[0].tolist() == ids.tolist()
    with pytest.raises(InteractionsError, match=r"2 unknown ids \(the first is 'u99'"):
        again.recommend(["u00", "u99", 3])


@pytest.mark.parametrize("library", ["pandas", "polars", "arrow"])
def test_recommendations_come_as_a_table(fitted, library):
    table = fitted.recommend_frame([3, 50], n=45, library=library)
    frame = table.to_pandas() if library != "pandas" else table
    ids, scores = fitted.recommend([3, 50], n=45)
    known = np.isfinite(scores)
    assert list(frame.columns) == ["user", "item", "rank", "score"]
    assert frame["item"].tolist() == ids[known].tolist()
    assert frame["user"].tolist() == np.repeat([3, 50], known.sum(axis=1)).tolist()
    assert frame.groupby("user")["rank"].first().tolist() == [1, 1]


def test_candidates_may_be_given(fitted):
    ids, scores = fitted.recommend([3], n=3, items=[40, 2, 9, 2], filter_seen=False)
    assert sorted(ids[0]) == [2, 9, 40]
    np.testing.assert_array_equal(scores[0], np.sort(scores[0])[::-1])
    np.testing.assert_array_equal(fitted.score([3], ids[0]), scores)
    with pytest.raises(ParameterError, match="n is 4; 1 to 3, the number of candidates"):
        fitted.recommend([3], n=4, items=[40, 2, 9])
    with pytest.raises(InteractionsError, match="items has 1 unknown ids"):
        fitted.recommend([3], n=1, items=[45])


def test_scikit_learns_contract_holds(fitted, blocks):
    copy = clone(fitted)
    assert copy.get_params() == fitted.get_params()
    with pytest.raises(NotFittedError):
        copy.score([0])
    assert copy.set_params(hops=1, seed=4) is copy
    assert (copy.hops, copy.seed) == (1, 4)
    for params, sentence in (({"hop": 1}, "'hop' is no setting"), ({"hops": 0}, "hops is 0")):
        with pytest.raises(ParameterError, match=sentence):
            copy.set_params(**params, l2=0.5)
    assert copy.l2 == fitted.l2
    np.testing.assert_array_equal(clone(fitted).fit(blocks).score([1]), fitted.score([1]))
