"""The compiled step against autograd: same losses, same weights after several steps."""

import sys

import numpy as np
import pytest
import torch

from cmn.errors import MissingDependencyError, ParameterError
from cmn.fused import compiled
from cmn.fused_rows import distinct
from cmn.hyperparameters import Hyperparameters
from cmn.model import CMNNetwork
from cmn.neighbourhoods import Neighbourhoods
from cmn.recommender import CMN
from cmn.sampling import NegativeSampler
from cmn.train import NetworkTrainer

VARIANTS = {
    "the paper's": {"protocol": "paper", "hops": 3},
    "one hop": {"protocol": "paper", "hops": 1},
    "clipped": {"protocol": "paper", "clip_norm": 0.05},
    "without itself": {"protocol": "paper", "exclude_self": True},
    "no attention": {"protocol": "paper", "attention": "uniform"},
    "linear": {"protocol": "paper", "activation": "linear", "hops": 3},
    "adam, several negatives": {"warmup_epochs": 1},
}


def trained(matrix, engine, settings):
    """Returns the losses of two epochs in float64 and the weights after them."""
    settings = Hyperparameters(**{"batch_size": 7, "engine": engine, **settings})
    network = CMNNetwork(
        *matrix.shape,
        6,
        settings.hops,
        torch.Generator().manual_seed(0),
        attention=settings.attention,
        activation=settings.activation,
    ).double()
    with torch.no_grad():
        for table in (network.user_memory, network.item_memory, network.external_memory):
            table.mul_(50)  # attention that is far from even
    trainer = NetworkTrainer(
        network,
        Neighbourhoods(matrix),
        NegativeSampler(matrix),
        settings,
        np.random.default_rng(0),
    )
    losses = [trainer.train_epoch(number) for number in (1, 2)]
    slots = trainer.optimiser.state()
    del slots["steps"]  # RMSProp's steps are all alike: machine code counts none
    return losses, network.state_dict() | slots


@pytest.mark.parametrize("name", VARIANTS)
def test_steps_equal_those_of_autograd(ragged_matrix, name):
    pytest.importorskip("numba")
    expected_losses, expected = trained(ragged_matrix, "torch", VARIANTS[name])
    losses, weights = trained(ragged_matrix, "numba", VARIANTS[name])
    assert losses == pytest.approx(expected_losses, rel=1e-10)
    for key, value in expected.items():
        torch.testing.assert_close(weights[key], value, rtol=1e-8, atol=1e-10, msg=key)


def test_distinct_rows_leave_no_mark():
    marks = np.zeros(9, dtype=bool)
    found = distinct(np.array([3, 1, 3]), np.array([8, 1]), marks)
    assert found.tolist() == [3, 1, 8]
    assert not marks.any()


def test_the_engine_is_refused_before_any_work_where_it_cannot_run(ragged_matrix, monkeypatch):
    reports = []
    settings = {"protocol": "paper", "engine": "numba", "embedding_dim": 4}
    monkeypatch.setattr("cmn.distributed.processes", lambda: 2)
    with pytest.raises(ParameterError, match="engine is 'numba'; several processes need 'torch'"):
        CMN(**settings).fit(ragged_matrix, report=reports.append)
    monkeypatch.undo()
    compiled.cache_clear()
    monkeypatch.setitem(sys.modules, "numba", None)
    with pytest.raises(MissingDependencyError, match=r"cmn\[fast\]"):
        CMN(**settings).fit(ragged_matrix, report=reports.append)
    assert reports == []
