"""Peers of other libraries under our interface: the same scores, by our rows and columns."""

import sys
import warnings

import numpy as np
import pytest
from scipy import sparse

from cmn.baselines import PEERS, installed_peers, make_baseline
from cmn.baselines.peers import CornacBPR, ImplicitALS, ImplicitBPR
from cmn.errors import MissingDependencyError


@pytest.fixture
def groups():
    """Two groups of users with items of their own, the first item and user without any."""
    dense = np.zeros((21, 13), np.float32)
    dense[1:11, 1:7] = dense[11:, 7:] = 1
    dense[1:, 1:] *= np.random.default_rng(0).random((20, 12)) < 0.8
    return sparse.csr_array(dense)


@pytest.mark.parametrize(
    ("kind", "settings", "library"),
    [
        (ImplicitALS, {"factors": 4, "threads": 1}, "implicit"),
        (ImplicitBPR, {"factors": 4, "threads": 1, "iterations": 200}, "implicit"),
        (CornacBPR, {"factors": 4, "threads": 1}, "cornac"),
    ],
)
def test_a_group_is_offered_its_own_items(groups, kind, settings, library):
    pytest.importorskip(library, reason=f"{library} is not installed (the extra cmn[bench])")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the library's own
        model = kind(**settings).fit(groups)
    scores = model.score(np.arange(1, 21))
    own = np.zeros((20, 12), bool)
    own[:10, :6] = own[10:, 6:] = True
    assert (scores[:, 1:][own].mean()) > scores[:, 1:][~own].mean()
    best, _ = model.recommend(np.arange(1, 21), n=1, filter_seen=False)
    assert (best[:10] < 7).all()
    assert (best[10:] >= 7).all()


def test_peers_are_offered_where_their_library_is_installed(monkeypatch):
    assert set(installed_peers()) <= set(PEERS)
    monkeypatch.setitem(sys.modules, "implicit.cpu.als", None)
    with pytest.raises(MissingDependencyError, match=r"needs implicit.*cmn\[bench\]"):
        make_baseline("implicit-als").fit(sparse.csr_array(np.ones((3, 3))))
