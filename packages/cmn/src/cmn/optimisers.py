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


class LookedUp:
    """Some rows of a weight, to compute a loss from instead of the whole weight.

    The gradient is then one of these rows and not of a large table that is zero elsewhere.

    Args:
        weight: (N, d).
        rows: int64 (n,), distinct.
    """

    def __init__(self, weight: Tensor, rows: Tensor) -> None:
        self.rows = rows
        self.values = weight.detach().index_select(0, rows).requires_grad_(weight.requires_grad)

    def gradient(self) -> tuple[Tensor, Tensor | None]:
        """Returns the rows that any process looked up and their gradient over all processes."""
        if not self.values.requires_grad:
            return self.rows, None
        gradient = self.values.grad
        return distributed.add_rows(
            self.rows, torch.zeros_like(self.values) if gradient is None else gradient
        )


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
    def minimise(self, loss: Tensor, looked_up: Mapping[Tensor, LookedUp] | None = None) -> None:
        """Takes one step; weights that the loss does not reach stay.

        Args:
            loss: a scalar.
            looked_up: of some weights, the rows that the loss was computed from in their place;
                the others stay as they are, with their slots.
        """
        for weight, _ in self._rates:
            weight.grad = None
        torch.autograd.backward(loss)
        self.step(looked_up)

    @torch.no_grad()
    def step(self, looked_up: Mapping[Tensor, LookedUp] | None = None) -> None:
        """Takes one step by the gradients that the weights have; see `minimise`."""
        rows_of = looked_up or {}
        distributed.add_gradients(weight for weight, _ in self._rates)
        for k, (weight, rate) in enumerate(self._rates):
            rows, gradient = None, weight.grad
            if weight in rows_of:
                rows, gradient = rows_of[weight].gradient()
            if gradient is None:
                continue
            if self._clip_norm:
                norm = float(gradient.norm())
                if norm > self._clip_norm:
                    gradient.mul_(self._clip_norm / norm)
            self._steps[k] += 1
            if rows is None:
                self._step(weight, self._slots[k], gradient, rate, self._steps[k])
            else:
                self._step_rows(k, weight, rows, gradient, rate)

    def slots(self, weight: Tensor) -> dict[str, Tensor]:
        """Returns what is kept beside one weight, by name, not copied."""
        numbers = {held: k for k, (held, _) in enumerate(self._rates)}
        return self._slots[numbers[weight]]

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

    def _step_rows(
        self, k: int, weight: Tensor, rows: Tensor, gradient: Tensor, rate: float
    ) -> None:
        part = weight.index_select(0, rows)
        slots = {name: slot.index_select(0, rows) for name, slot in self._slots[k].items()}
        self._step(part, slots, gradient, rate, self._steps[k])
        weight.index_copy_(0, rows, part)
        for name, slot in slots.items():
            self._slots[k][name].index_copy_(0, rows, slot)

    def _new_slots(self, weight: Tensor) -> dict[str, Tensor]:
        raise NotImplementedError

    def _step(
        self, weight: Tensor, slots: dict[str, Tensor], gradient: Tensor, rate: float, number: int
    ) -> None:
        """Moves a weight, or some rows of one, and its slots in place; steps count from 1."""
        raise NotImplementedError


class Adam(Optimiser):
    """Steps by bias-corrected running means of gradient and squared gradient, in all rows."""

    def _new_slots(self, weight: Tensor) -> dict[str, Tensor]:
        return {"mean": torch.zeros_like(weight), "square": torch.zeros_like(weight)}

    def _step(
        self, weight: Tensor, slots: dict[str, Tensor], gradient: Tensor, rate: float, number: int
    ) -> None:
        torch._fused_adam_(  # what torch.optim.Adam(fused=True) calls
            [weight],
            [gradient],
            [slots["mean"]],
            [slots["square"]],
            [],
            [torch.tensor(float(number))],
            lr=rate,
            beta1=MEAN_DECAY,
            beta2=SQUARE_DECAY,
            weight_decay=0.0,
            eps=EPSILON,
            amsgrad=False,
            maximize=False,
        )


class RMSProp(Optimiser):
    """Steps by TensorFlow 1's RMSProp with decay .9, momentum .9 and eps 1e-10.

    s <- .9 s + .1 g^2 from s = 1; b <- .9 b + rate g / sqrt(s + eps); w <- w - b. Of a weight that
    is looked up only the looked-up rows are updated, s and b included.
    """

    def _new_slots(self, weight: Tensor) -> dict[str, Tensor]:
        return {"square": torch.ones_like(weight), "momentum": torch.zeros_like(weight)}

    def _step(
        self,
        weight: Tensor,
        slots: dict[str, Tensor],
        gradient: Tensor,
        rate: float,
        number: int,  # noqa: ARG002  every step is alike
    ) -> None:
        s, b = slots["square"], slots["momentum"]
        s.mul_(RMS_DECAY).addcmul_(gradient, gradient, value=1 - RMS_DECAY)
        b.mul_(MOMENTUM).addcdiv_(gradient, (s + RMS_EPSILON).sqrt_(), value=rate)
        weight.sub_(b)


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
