"""Fused step: one training step of the memory network by the compiled functions of `fused`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from cmn import distributed
from cmn.errors import ParameterError
from cmn.fused import Weights, backward, compiled, forward, gather
from cmn.fused_rows import distinct, move_rows

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from torch import Tensor

    from cmn.fused import Floats, Pairs
    from cmn.hyperparameters import Hyperparameters
    from cmn.model import CMNNetwork
    from cmn.neighbourhoods import Neighbourhoods
    from cmn.optimisers import Optimiser


def check_engine(engine: str) -> None:
    """Refuses an engine that cannot run here, before any work starts.

    Raises:
        ParameterError: it is `numba`, and the training runs on several processes.
        MissingDependencyError: it is `numba`, which is not installed.
    """
    if engine != "numba":
        return
    if distributed.processes() > 1:
        raise ParameterError("engine is 'numba'; several processes need 'torch'")
    compiled(gather)


class FusedStep:
    """Trains a network's weights where they lie, with the slots of its optimiser.

    RMSProp's looked-up rows are moved by machine code too; everything else by the optimiser.

    Args:
        network: what is trained.
        neighbourhoods: N(i) of its items.
        settings: rates, penalty.
        optimiser: of all weights.
        rates: its step sizes.

    Raises:
        MissingDependencyError: numba is not installed.
    """

    def __init__(
        self,
        network: CMNNetwork,
        neighbourhoods: Neighbourhoods,
        settings: Hyperparameters,
        optimiser: Optimiser,
        rates: Mapping[Tensor, float],
    ) -> None:
        self._network, self._settings = network, settings
        self._optimiser, self._rates = optimiser, rates
        self._lists = neighbourhoods.bounds, neighbourhoods.users
        self._gather, self._distinct = compiled(gather), compiled(distinct)
        self._forward, self._backward = compiled(forward), compiled(backward)
        self._move_rows = compiled(move_rows)
        self._gradients = Weights(*(np.zeros_like(weight) for weight in self._weights()))
        self._marks = np.zeros(max(map(len, self._gradients[:2])), dtype=bool)

    def _weights(self) -> Weights:
        network = self._network
        hops = network.layers()[:-1]
        user = _array(network.user_memory)
        d = user.shape[1]
        return Weights(
            user,
            _array(network.item_memory),
            _array(network.external_memory),
            np.array([_array(layer.weight) for layer in hops], user.dtype).reshape(-1, d, d),
            np.array([_array(layer.bias) for layer in hops], user.dtype).reshape(-1, d),
            _array(network.output_layer.weight),
            _array(network.output_layer.bias),
            _array(network.output_weight),
        )

    def __call__(self, users: NDArray[np.int64], items: NDArray[np.int64]) -> float:
        """Takes one step over users (B,) and items (B, 1 + n), the positive first.

        Returns:
            The loss before the step.
        """
        settings, weights = self._settings, self._weights()
        uniform = self._network.attention == "uniform"
        relu = self._network.activation == "relu"
        pairs = self._gather(
            np.repeat(users, items.shape[1]), items.reshape(-1), *self._lists, settings.exclude_self
        )
        trace = self._forward(weights, pairs, uniform, relu)
        loss, slopes = _pairwise(trace.scores.reshape(items.shape))
        self._backward(weights, pairs, trace, slopes, self._gradients, uniform, relu)
        for name in ("hops", "output", "last"):
            weight, gradient = getattr(weights, name), getattr(self._gradients, name)
            loss += settings.l2 / 2 * float(np.square(weight).sum())
            gradient[:] += settings.l2 * weight
        self._move(weights, pairs)
        return loss

    def _move(self, weights: Weights, pairs: Pairs) -> None:
        """Moves the weights by the gradients, and these back to zero."""
        network, gradients = self._network, self._gradients
        nobody = pairs.users[:0]
        looked_up = {
            network.user_memory: self._distinct(pairs.members, pairs.users, self._marks),
            network.item_memory: self._distinct(pairs.items, nobody, self._marks),
            network.external_memory: self._distinct(pairs.members, nobody, self._marks),
        }
        in_rows = self._settings.optimizer == "rmsprop"
        tables = zip(looked_up.items(), weights[:3], gradients[:3], strict=True)
        for (table, rows), weight, gradient in tables:
            table.grad = None
            if not table.requires_grad:
                gradient[rows] = 0
            elif in_rows:
                slots = self._optimiser.slots(table)
                square, momentum = slots["square"].numpy(), slots["momentum"].numpy()
                rate, longest = self._rates[table], self._settings.clip_norm
                self._move_rows(rows, weight, gradient, square, momentum, rate, longest)
            else:
                table.grad = torch.from_numpy(gradient)
        for k, layer in enumerate(network.layers()[:-1]):
            layer.weight.grad = torch.from_numpy(gradients.hops[k])
            if network.attention != "uniform":  # else no score depends on it
                layer.bias.grad = torch.from_numpy(gradients.hop_biases[k])
        network.output_layer.weight.grad = torch.from_numpy(gradients.output)
        network.output_layer.bias.grad = torch.from_numpy(gradients.output_bias)
        network.output_weight.grad = torch.from_numpy(gradients.last)
        self._optimiser.step()
        for gradient in gradients[3:]:
            gradient[:] = 0
        if not in_rows:
            for rows, gradient in zip(looked_up.values(), gradients[:3], strict=True):
                gradient[rows] = 0


def _array(weight: Tensor) -> Floats:
    """Returns a weight's own memory."""
    return weight.detach().numpy()


def _pairwise(scores: Floats) -> tuple[float, Floats]:
    """Returns the pairwise loss (eq. 7) of scores (B, 1 + n), and its slopes, (B (1 + n),)."""
    behind = scores[:, 1:] - scores[:, :1]
    slopes = np.empty_like(scores)
    slopes[:, 1:] = 1 / (1 + np.exp(-behind)) / behind.size
    slopes[:, 0] = -slopes[:, 1:].sum(axis=1)
    return float(np.logaddexp(0, behind).mean()), slopes.ravel()
