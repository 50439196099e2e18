"""The model against a stand-in for Mammoth's base class: Mammoth is no package, only a checkout."""

import sys
from argparse import ArgumentParser
from importlib import import_module
from types import ModuleType

import pytest
import torch
from torch import nn

from bocl.errors import MissingDependencyError


class StandIn(nn.Module):
    """The part of Mammoth 0.2.2's `ContinualModel` that our model touches."""

    def __init__(self, backbone, loss, args, transform, dataset=None):
        super().__init__()
        self.net, self.loss, self.args, self.transform = backbone, loss, args, transform
        self.num_classes = dataset
        self.current_task = 0


def test_without_mammoth_the_sentence_says_where_to_import():
    with pytest.raises(MissingDependencyError, match="inside a checkout of Mammoth"):
        import_module("bocl.integrations.mammoth")


def test_tasks_are_gathered_once_and_learned_at_their_end(monkeypatch):
    room = ModuleType("models.utils.continual_model")
    room.ContinualModel = StandIn
    for name in ("models", "models.utils"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, "models.utils.continual_model", room)
    monkeypatch.delitem(sys.modules, "bocl.integrations.mammoth", raising=False)
    Bocl = import_module("bocl.integrations.mammoth").Bocl
    arguments = Bocl.get_parser(ArgumentParser()).parse_args(
        ["--bocl_trunk", "mlp-small", "--bocl_epochs", "80", "--bocl_trials", "2"]
    )
    model = Bocl(None, None, arguments, None, dataset=6)
    generator = torch.Generator().manual_seed(0)
    seen = []
    for task in range(2):
        centres = 3 * torch.randn(3, 1, 3, 3, generator=generator)
        y = torch.arange(90) % 3
        x = centres[y] + 0.2 * torch.randn(90, 1, 3, 3, generator=generator)
        y += 3 * task
        model.current_task = task
        model.begin_task(None)
        for epoch in range(2):
            for rows in torch.arange(90).split(30):
                assert model.observe(x[rows], y[rows], x[rows], epoch=epoch) == 0.0
        model.end_task(None)
        seen.append((x, y))
    monkeypatch.delitem(sys.modules, "bocl.integrations.mammoth")
    for task, (x, y) in enumerate(seen):
        outputs = model(x)
        assert outputs.shape == (90, 6)
        within = outputs[:, 3 * task : 3 * task + 3].argmax(1) + 3 * task  # Mammoth's Task-IL mask
        assert (within == y).float().mean() > 0.9
        assert (outputs.argmax(1) == y).float().mean() > 0.8
