"""Gradients averaged with one partner per step: the rule of torchdistx's `gossip_grad`.

Weights are never exchanged, so replicas drift apart without bound; the package offers this rule
only to show beside its own what that does to accuracy.
"""

import torch
from torch import nn

from gossipgrad.baselines.replica import GradientReplica
from gossipgrad.schedules import make_schedule


class GradientGossip(GradientReplica):
    """g <- (g + g_partner) / 2 after each backward pass.

    Args:
        model: The model.
        seed: Of the rotation of partners; the same on all ranks.
    """

    def __init__(self, model: nn.Module, *, seed: int = 0) -> None:
        super().__init__(model)
        self._schedule = make_schedule("dissemination", self.collective.size, seed)
        self._step = 0

    def backward_done(self) -> None:
        """Averages all gradients with this step's partner."""
        turn = self._schedule.turn(self.collective.rank, self._step)
        self._step += 1
        own = self.flat_gradients()
        theirs = torch.empty_like(own)
        self.collective.exchange(own, theirs, turn.destination, turn.source)
        self.set_gradients(own.lerp_(theirs, 0.5))
