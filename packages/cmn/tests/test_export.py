"""ONNX graphs against the model itself, run by onnxruntime."""

import json
import sys

import numpy as np
import onnxruntime
import pytest
from scipy import sparse

from cmn.errors import MissingDependencyError, ParameterError
from cmn.recommender import CMN


def fit(**settings):
    dense = np.random.default_rng(1).random((14, 11)) < 0.4
    dense[:, 3] = False
    dense[2] = True  # a user who has seen nearly everything
    dense[2, [0, 5]] = False
    return CMN(embedding_dim=5, epochs=1, pretrain_epochs=2, **settings).fit(
        sparse.csr_array(dense)
    )


@pytest.mark.parametrize(
    "settings", [{"hops": 2}, {"hops": 1, "attention": "uniform", "activation": "linear"}]
)
def test_both_graphs_agree_with_the_model(settings, tmp_path):
    model = fit(**settings)
    files = model.export_onnx(tmp_path, n=4)
    everything = model.score(np.arange(14))
    scorer = onnxruntime.InferenceSession(files["scorer"])
    users, items = (grid.ravel() for grid in np.indices((14, 11)))
    (scores,) = scorer.run(None, {"users": users, "items": items})
    np.testing.assert_allclose(scores, everything.ravel(), atol=1e-5)
    best = onnxruntime.InferenceSession(files["top_n"])
    for some in (np.arange(14), np.array([2])):
        found, values = best.run(None, {"users": some})
        ids, expected = model.recommend(some, n=4)
        np.testing.assert_allclose(values, expected, atol=1e-5)
        there = np.isfinite(expected)
        np.testing.assert_array_equal(found[there], ids[there])
    ids = json.loads(files["ids"].read_text())
    assert (ids["users"], ids["items"]) == (list(range(14)), list(range(11)))


def test_what_cannot_be_exported_is_refused(tmp_path, monkeypatch):
    model = fit(hops=1)
    with pytest.raises(ParameterError, match="n is 12; 1 to 11 is allowed"):
        model.export_onnx(tmp_path, n=12)
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(MissingDependencyError, match=r"needs onnx and onnxscript.*cmn\[onnx\]"):
        model.export_onnx(tmp_path)
    assert list(tmp_path.iterdir()) == []
