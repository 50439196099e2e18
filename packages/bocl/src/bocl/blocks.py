"""A block: all that one task adds, and the one function that runs it.

The function serves training, where earlier features come from a cache, and inference, where the
network computes them. Level l of task t computes

    h_t^l = level( [ A_t^{l-1} * H_{<t}^{l-1} ; h_t^{l-1} ] )      H_{<t}: earlier blocks' features
    y_t   = C_t [ A_t^L * H_{<t}^L ; e_t^L ; h_t^L ] + c_t

where e_t is what a borrowed level makes of the task's own maps (`lending`; nothing without one),
with one contiguous tensor per weight: [old | lent | own] along its inputs. A task's function
depends on its own and earlier blocks only, so no later task can change it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from bocl import gates
from bocl.trunks.levels import Level, shapes
from bocl.views import View

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from torch import Tensor

    from bocl.growth import Growth
    from bocl.lending import Lent
    from bocl.trunks.architectures import Trunk


@dataclass(frozen=True)
class Block:
    """One task's frozen part.

    Attributes:
        growth: units per level.
        classes: of the task's head.
        view: how the task looks at its inputs.
        inputs: (kept,) indices of the input units that level 1 reads, None for all.
        reads: for each level l = 1..L, per earlier block the indices of its units that the next
            level (for L: the head) reads.
        weights: `1.weight`, ..., `head.weight`, `gate.1.fixed`, ...
        attention: for each level, per earlier block the mean gate over its units, 0 where unread.
        copied: (units,) of the first network, whose flattening level the block borrows: the units
            below it that the block's own started as copies of; None where it borrows nothing.
    """

    growth: Growth
    classes: int
    view: View
    inputs: Tensor | None
    reads: tuple[tuple[Tensor, ...], ...]
    weights: dict[str, Tensor]
    attention: tuple[tuple[float, ...], ...] = field(default=())
    copied: Tensor | None = None

    def units_read(self, level: int) -> list[int]:
        """Returns how many units of each earlier block are read above a level."""
        return [len(units) for units in self.reads[level - 1]]

    def enter(self, entry: Tensor) -> Tensor:
        """Returns the input units (batch, kept) that level 1 reads."""
        return entry if self.inputs is None else entry[:, self.inputs]

    @property
    def parameters(self) -> int:
        """Stored numbers: weights, gates, head, the view, and indices of all that is read."""
        numbers = sum(tensor.numel() for tensor in self.tensors().values())
        return numbers + (self.view.degrees != 0)

    def tensors(self) -> dict[str, Tensor]:
        """Returns all that is stored, by name."""
        result = dict(self.weights)
        if self.inputs is not None:
            result["inputs"] = self.inputs
        if self.copied is not None:
            result["copied"] = self.copied
        if self.view.order is not None:
            result["view.order"] = self.view.order
        for level, sources in enumerate(self.reads, start=1):
            for source, units in enumerate(sources):
                result[f"reads.{level}.{source}"] = units
        return result


def block_shapes(
    trunk: Trunk,
    growth: Growth,
    *,
    classes: int,
    inputs: int,
    units_read: Sequence[Sequence[int]],
    gate_kind: str,
    lent: Lent | None = None,
) -> dict[str, tuple[int, ...]]:
    """Returns the shapes of all weights that a growth trains.

    Args:
        trunk: the levels.
        growth: units per level.
        classes: width of the head.
        inputs: input units that level 1 reads.
        units_read: for each level l = 1..L, units of each earlier block that are read above it.
        gate_kind: one of `settings.GATES`.
        lent: what the growth borrows.
    """
    result: dict[str, tuple[int, ...]] = {}
    below = inputs
    for number, (level, width) in enumerate(zip(trunk.levels, growth.widths, strict=True), start=1):
        if width > 0:
            for name, shape in shapes(level, below, width).items():
                result[f"{number}.{name}"] = shape
        old = sum(units_read[number - 1])
        reader_exists = number == len(trunk.levels) or growth.widths[number] > 0
        if old and reader_exists:
            result |= gates.shapes(gate_kind, number, units_read[number - 1])
        borrowed = lent.width if lent is not None and lent.number == number else 0
        below = old + borrowed + width
    for name, shape in shapes(trunk.head, below, classes).items():
        result[f"head.{name}"] = shape
    return result


def initialise(
    shapes_: Mapping[str, tuple[int, ...]], generator: torch.Generator
) -> dict[str, Tensor]:
    """Returns He-uniform weights, zero biases, unit scales, and gates at the identity."""
    result = {}
    for name, shape in shapes_.items():
        last = name.rsplit(".", 1)[-1]
        if last.endswith("_scale"):
            result[name] = torch.ones(shape)
        elif last in ("bias", "unit", "task", "up") or last.endswith("_shift"):
            result[name] = torch.zeros(shape)
        else:
            gain = 3.0 if name.startswith("head") else 6.0
            bound = math.sqrt(gain / max(1, math.prod(shape[1:])))
            result[name] = torch.empty(shape).uniform_(-bound, bound, generator=generator)
    return result


def level_weights(weights: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Returns the weights of one level, without its prefix."""
    start = f"{prefix}."
    return {name[len(start) :]: w for name, w in weights.items() if name.startswith(start)}


def run_level(
    level: Level,
    weights: Mapping[str, Tensor],
    prefix: str,
    below: Tensor,
) -> Tensor:
    """Returns one level's features (batch, width, *places)."""
    return level(level_weights(weights, prefix), below)


def run_block(
    trunk: Trunk,
    growth: Growth,
    weights: Mapping[str, Tensor],
    entry: Tensor,
    *,
    old: Callable[[int], Tensor | None],
    units_read: Callable[[int], Sequence[int]],
    lent: Lent | None = None,
) -> Tensor:
    """Returns the logits (batch, classes) of a task.

    Args:
        trunk: the levels.
        growth: units per level.
        weights: the block's.
        entry: (batch, input units...) as level 1 reads them.
        old: for a level, the earlier blocks' units read above it: (batch, units, *places) or None.
        units_read: for a level, the number of units read of each earlier block.
        lent: what the growth borrows.
    """
    below: Tensor = entry
    last = len(trunk.levels)
    for number, (level, width) in enumerate(zip(trunk.levels, growth.widths, strict=True), start=1):
        own = run_level(level, weights, str(number), below) if width > 0 else None
        if own is not None and lent is not None and lent.number == number:
            own = torch.cat([lent(level, below), own], dim=1)
        if number < last and growth.widths[number] == 0:
            continue  # nobody reads here
        below = join(weights, number, units_read(number), old(number), own)
    return trunk.head(level_weights(weights, "head"), below)


def join(
    weights: Mapping[str, Tensor],
    number: int,
    units: Sequence[int],
    old: Tensor | None,
    own: Tensor | None,
) -> Tensor:
    """Returns gated earlier features beside the task's own: (batch, old + own, *places)."""
    if old is None:
        if own is None:
            raise AssertionError("a feasible growth always leaves something to read")
        return own
    gated = gates.apply(weights, number, units, old)
    return gated if own is None else torch.cat([gated, own], dim=1)
