"""The network that grows: frozen blocks in order, and inference for any task through them.

inputs -> view of the task -> blocks 0 .. t-1 (only those read) -> block t -> logits of task t
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from bocl.blocks import join, run_block, run_level
from bocl.lending import Lent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from bocl.blocks import Block
    from bocl.trunks.architectures import Trunk
    from bocl.views import View

CHUNK = 500  # samples at a time in inference: features of images still fit a core's cache


class Network:
    """Blocks of all tasks learned so far; it only ever grows."""

    def __init__(self, trunk: Trunk, blocks: Sequence[Block] = ()) -> None:
        self.trunk = trunk
        self.blocks = list(blocks)

    def __len__(self) -> int:
        return len(self.blocks)

    def widths(self, level: int) -> list[int]:
        """Returns the units of every block at a level, from 1."""
        return [block.growth.widths[level - 1] for block in self.blocks]

    @torch.no_grad()
    def logits(self, task: int, inputs: Tensor, view: View | None = None) -> Tensor:
        """Returns logits (batch, classes) of a task.

        Args:
            task: its number from 0.
            inputs: (batch, *input_shape).
            view: another view than the task's own, to try whether the task fits other inputs.
        """
        block = self.blocks[task]
        self.trunk.enter(inputs[:0])
        parts = [
            self._logits(task, block, part, block.view if view is None else view)
            for part in torch.split(inputs, CHUNK)
        ]
        return torch.cat(parts) if parts else torch.zeros(0, block.classes)

    def _logits(self, task: int, block: Block, inputs: Tensor, view: View) -> Tensor:
        entry = self.trunk.enter(view(inputs))
        outs = self.features_to(entry, self.depths(task))
        return run_block(
            self.trunk,
            block.growth,
            block.weights,
            block.enter(entry),
            old=lambda level: self.read(block, level, outs),
            units_read=block.units_read,
            lent=self.lent(block.copied),
        )

    def lent(self, copied: Tensor | None) -> Lent | None:
        """Returns the first block's flattening level for a borrower, None where there is none.

        Args:
            copied: (units,) below that level that the borrower's own are copies of.
        """
        number = self.trunk.flattening
        if number is None or copied is None:
            return None
        first, names = self.blocks[0], self.trunk.levels[number - 1].roles
        weights = {name: first.weights[f"{number}.{name}"] for name in names}
        return Lent(number, weights, first.growth.widths[number - 2], copied)

    def lends(self, source: int, task: int) -> int | None:
        """Returns the number of the level that a task borrows of a block, None for none."""
        borrows = source == 0 and self.blocks[task].copied is not None
        return self.trunk.flattening if borrows else None

    def depths(self, task: int) -> list[int]:
        """Returns, for each block before a task's, the highest level that the task needs of it."""
        depths = [0] * task
        self._need(self.blocks[task], len(self.trunk.levels), depths)
        return self._with_needed(depths)

    def _with_needed(self, depths: list[int]) -> list[int]:
        """Returns depths, raised to what the blocks themselves need of earlier ones."""
        for source in range(len(depths) - 1, -1, -1):
            if depths[source] > 1:
                self._need(self.blocks[source], depths[source] - 1, depths)
        return depths

    @staticmethod
    def _need(block: Block, highest: int, depths: list[int]) -> None:
        for level in range(1, highest + 1):
            for source, units in enumerate(block.units_read(level)):
                if units:
                    depths[source] = max(depths[source], level)

    @torch.no_grad()
    def features(
        self, entry: Tensor, offered: Sequence[Sequence[Tensor]] | None = None
    ) -> list[Tensor]:
        """Returns, for each level, blocks' features (batch, units, *places).

        Args:
            entry: (batch, input units...) as the trunk takes them, under the asking task's view.
            offered: for each level and block, which of its units; None for all of all blocks.
        """
        levels = range(1, len(self.trunk.levels) + 1)
        if offered is None:
            offered = [[torch.arange(width) for width in self.widths(level)] for level in levels]
        depths = [1] + [0] * (len(self) - 1)  # the first block says how many samples there are
        for level, sources in zip(levels, offered, strict=True):
            for source, units in enumerate(sources):
                if len(units):
                    depths[source] = level
        depths = self._with_needed(depths)
        parts = [self.features_to(part, depths) for part in torch.split(entry, CHUNK)]
        return [
            torch.cat([self._picked(outs, level, offered[level - 1]) for outs in parts])
            for level in levels
        ]

    def _picked(
        self, outs: Sequence[Sequence[Tensor]], level: int, offered: Sequence[Tensor]
    ) -> Tensor:
        """Returns the offered units of all blocks at a level beside each other."""
        pairs = [(own, units) for own, units in zip(outs, offered, strict=True) if len(units)]
        if not pairs:
            first = outs[0][0]
            return first.new_zeros(len(first), 0, *self.trunk.levels[level - 1].places)
        whole = [
            own[level - 1]
            if len(units) == own[level - 1].shape[1]
            else own[level - 1].index_select(1, units)
            for own, units in pairs
        ]
        return torch.cat(whole, 1)

    def features_to(self, entry: Tensor, depths: Sequence[int]) -> list[list[Tensor]]:
        """Returns, for each of the first blocks, its features of levels 1 to its depth.

        Args:
            entry: (batch, input units...) as the trunk takes them, under the asking task's view.
            depths: as `depths` gives them.
        """
        outs: list[list[Tensor]] = []
        for block, depth in zip(self.blocks, depths, strict=False):
            own: list[Tensor] = []
            outs.append(own)
            for number in range(1, depth + 1):
                level = self.trunk.levels[number - 1]
                if block.growth.widths[number - 1] == 0:
                    own.append(entry.new_zeros(entry.shape[0], 0, *level.places))
                    continue
                if number == 1:
                    below = block.enter(entry)
                else:
                    lower = own[-1] if block.growth.widths[number - 2] else None
                    old = self.read(block, number - 1, outs[:-1])
                    units = block.units_read(number - 1)
                    below = join(block.weights, number - 1, units, old, lower)
                own.append(run_level(level, block.weights, str(number), below))
        return outs

    @staticmethod
    def read(block: Block, level: int, outs: Sequence[Sequence[Tensor]]) -> Tensor | None:
        """Returns the units (batch, read, *places) that a block reads above a level, or None."""
        parts = [
            outs[source][level - 1].index_select(1, units)
            for source, units in enumerate(block.reads[level - 1])
            if len(units)
        ]
        return torch.cat(parts, dim=1) if parts else None

    def macs(self, task: int) -> int:
        """Returns multiply-accumulates of one sample's logits for a task, its own blocks only."""
        total = sum(
            self._block_macs(self.blocks[source], depth)
            for source, depth in enumerate(self.depths(task))
        )
        block = self.blocks[task]
        borrowed = self.lent(block.copied)
        if borrowed is not None:
            total += borrowed.macs(self.trunk.levels[borrowed.number - 1])
        return (
            total
            + self._block_macs(block, len(self.trunk.levels))
            + block.weights["head.weight"].numel()
        )

    def _block_macs(self, block: Block, depth: int) -> int:
        total, below = 0, self.trunk.input_units if block.inputs is None else len(block.inputs)
        for number in range(1, depth + 1):
            width = block.growth.widths[number - 1]
            if width:
                total += self.trunk.levels[number - 1].macs(below, width)
            below = sum(block.units_read(number)) + width
        return total

    @property
    def parameters(self) -> int:
        """Stored numbers of all blocks."""
        return sum(block.parameters for block in self.blocks)
