"""Optimisers: Adam, Adam over looked-up rows, and RMSProp as TensorFlow 1 computes it.

torch.optim imports torch's compiler when the first optimiser is made, which takes seconds: as long
as a whole training on a small set. Nor has it TensorFlow's RMSProp.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch

from cmn import distributed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray
    from torch import Tensor

MEAN_DECAY, SQUARE_DECAY, EPSILON = 0.9, 0.999, 1e-8
RMS_DECAY, MOMENTUM, RMS_EPSILON = 0.9, 0.9, 1e-10


class Optimiser:
    """Moves weights against the gradient of a loss; a kind of optimiser says how far.

    Args:
        rates: pairs of a weight and its step size.
        clip_norm: longest gradient of one weight, by its Euclidean norm; 0 is no limit.
    """

    def __init__(self, rates: Iterable[tuple[Tensor, float]], clip_norm: float = 0.0) -> None:
        self._rates = list(rates)
        self._clip_norm = clip_norm
        self._slots = [self._new_slots(weight) for weight, _ in self._rates]
        self._steps = [0] * len(self._rates)

    @torch.no_grad()
    def minimise(self, loss: Tensor, rows: Mapping[Tensor, Tensor] | None = None) -> None:
        """Takes one step; weights that the loss does not reach stay.

        Args:
            loss: a scalar.
            rows: the distinct rows of some weights that the loss looked up, int64; where the kind
                of optimiser treats looked-up rows apart, it leaves the others as they are.
        """
        for weight, _ in self._rates:
            weight.grad = None
        torch.autograd.backward(loss)
        distributed.add_gradients(weight for weight, _ in self._rates)
        for k, (weight, rate) in enumerate(self._rates):
            gradient = weight.grad
            if gradient is None:
                continue
            if self._clip_norm:
                gradient.mul_(min(1.0, self._clip_norm / max(float(gradient.norm()), 1e-30)))
            self._steps[k] += 1
            self._step(k, weight, gradient, rate, None if rows is None else rows.get(weight))

    def state(self) -> dict[str, Tensor]:
        """Returns what the next step depends on, by name, not copied."""
        slots = {
            f"{name}.{k}": slot for k, held in enumerate(self._slots) for name, slot in held.items()
        }
        return {**slots, "steps": torch.tensor(self._steps)}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Continues from a state returned by `state`."""
        for k, held in enumerate(self._slots):
            for name, slot in held.items():
                slot.copy_(state[f"{name}.{k}"])
        self._steps = state["steps"].tolist()

    def _new_slots(self, weight: Tensor) -> dict[str, Tensor]:
        raise NotImplementedError

    def _step(
        self, k: int, weight: Tensor, gradient: Tensor, rate: float, rows: Tensor | None
    ) -> None:
        raise NotImplementedError


class Adam(Optimiser):
    """Steps by bias-corrected running means of gradient and squared gradient, in all rows."""

    def _new_slots(self, weight: Tensor) -> dict[str, Tensor]:
        return {"mean": torch.zeros_like(weight), "square": torch.zeros_like(weight)}

    def _step(
        self,
        k: int,
        weight: Tensor,
        gradient: Tensor,
        rate: float,
        rows: Tensor | None,  # noqa: ARG002  as in TensorFlow 1, Adam moves every row
    ) -> None:
        mean, square = self._slots[k]["mean"], self._slots[k]["square"]
        mean.lerp_(gradient, 1 - MEAN_DECAY)
        square.mul_(SQUARE_DECAY).addcmul_(gradient, gradient, value=1 - SQUARE_DECAY)
        step = rate / (1 - MEAN_DECAY ** self._steps[k])
        scale = math.sqrt(1 - SQUARE_DECAY ** self._steps[k])
        weight.addcdiv_(mean, square.sqrt().div_(scale).add_(EPSILON), value=-step)


class RMSProp(Optimiser):
    """Steps by TensorFlow 1's RMSProp with decay .9, momentum .9 and eps 1e-10.

    s <- .9 s + .1 g^2 from s = 1; b <- .9 b + rate g / sqrt(s + eps); w <- w - b. Where the rows
    that the loss looked up are given, only they are updated, s and b included.
    """

    def _new_slots(self, weight: Tensor) -> dict[str, Tensor]:
        return {"square": torch.ones_like(weight), "momentum": torch.zeros_like(weight)}

    def _step(
        self, k: int, weight: Tensor, gradient: Tensor, rate: float, rows: Tensor | None
    ) -> None:
        slots = self._slots[k]
        g, s, b = gradient, slots["square"], slots["momentum"]
        if rows is not None:
            g, s, b = (full.index_select(0, rows) for full in (g, s, b))
        s.mul_(RMS_DECAY).addcmul_(g, g, value=1 - RMS_DECAY)
        b.mul_(MOMENTUM).addcdiv_(g, (s + RMS_EPSILON).sqrt_(), value=rate)
        if rows is None:
            weight.sub_(b)
        else:
            slots["square"].index_copy_(0, rows, s)
            slots["momentum"].index_copy_(0, rows, b)
            weight.index_add_(0, rows, b, alpha=-1)


class RowAdam:
    """Adam over the looked-up rows of large tables; no other row is read or written in a step.

    A row's running means do not decay while it is not looked up, as in torch's SparseAdam.

    Args:
        tables: (N, d) each.
    """

    def __init__(self, tables: Iterable[Tensor]) -> None:
        self._tables = list(tables)
        self._means = [torch.zeros_like(table) for table in self._tables]
        self._squares = [torch.zeros_like(table) for table in self._tables]
        self._steps = 0
        self._looked_up: list[tuple[int, Tensor, Tensor]] = []

    def look_up(self, table: int, rows: NDArray[np.int64]) -> Tensor:
        """Returns rows (n,) of a table, (n, d), so that the next step moves them.

        Args:
            table: its number.
            rows: may repeat; a table is looked up once a step.
        """
        distinct, inverse = np.unique(rows, return_inverse=True)
        index = torch.from_numpy(distinct)
        leaf = self._tables[table].detach().index_select(0, index).requires_grad_()
        self._looked_up.append((table, index, leaf))
        return leaf.index_select(0, torch.from_numpy(inverse))

    @torch.no_grad()
    def minimise(self, loss: Tensor, rate: float) -> None:
        """Takes one step of size `rate` in the rows looked up since the last one."""
        torch.autograd.backward(loss)
        self._steps += 1
        step = rate / (1 - MEAN_DECAY**self._steps)
        scale = math.sqrt(1 - SQUARE_DECAY**self._steps)
        for table, looked_up, leaf in self._looked_up:
            gradient = torch.zeros_like(leaf) if leaf.grad is None else leaf.grad
            index, total = distributed.add_rows(looked_up, gradient)
            mean = self._means[table].index_select(0, index).lerp_(total, 1 - MEAN_DECAY)
            square = self._squares[table].index_select(0, index)
            square.mul_(SQUARE_DECAY).addcmul_(total, total, value=1 - SQUARE_DECAY)
            self._means[table].index_copy_(0, index, mean)
            self._squares[table].index_copy_(0, index, square)
            moved = mean.div_(square.sqrt_().div_(scale).add_(EPSILON))
            self._tables[table].index_add_(0, index, moved, alpha=-step)
        self._looked_up.clear()

    def state(self) -> dict[str, Tensor]:
        """Returns what the next step depends on, by name, not copied."""
        means = {f"mean.{k}": mean for k, mean in enumerate(self._means)}
        squares = {f"square.{k}": square for k, square in enumerate(self._squares)}
        return {**means, **squares, "steps": torch.tensor(self._steps)}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Continues from a state returned by `state`."""
        for k, (mean, square) in enumerate(zip(self._means, self._squares, strict=True)):
            mean.copy_(state[f"mean.{k}"])
            square.copy_(state[f"square.{k}"])
        self._steps = int(state["steps"])


OPTIMISERS: dict[str, type[Optimiser]] = {"adam": Adam, "rmsprop": RMSProp}
