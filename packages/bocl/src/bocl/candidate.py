"""The widest block that a task may grow, and every narrower one as a slice of its weights."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from bocl.blocks import block_shapes, initialise, run_block

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import torch
    from torch import Tensor

    from bocl.cache import Batch
    from bocl.growth import Growth
    from bocl.lending import Lent
    from bocl.trunks.architectures import Trunk


class Candidate:
    """Weights of a growth for one task, nested: narrower growths are its first units.

    Args:
        largest: the growth that holds all others.
        inputs: input units that level 1 reads.
        old_units: for each level, the units of each earlier block.
        lent: what growths may borrow.

    Attributes:
        stored: `old_units` that the weights of `initial` have inputs for: none if no growth reads.
    """

    def __init__(
        self,
        trunk: Trunk,
        largest: Growth,
        *,
        classes: int,
        inputs: int,
        old_units: Sequence[Sequence[int]],
        gate_kind: str,
        lent: Lent | None = None,
    ) -> None:
        self.trunk = trunk
        self.largest = largest
        self.classes = classes
        self.inputs = inputs
        self.old_units = [list(units) for units in old_units]
        self.stored = [units if largest.reuse else [0] * len(units) for units in self.old_units]
        self.gate_kind = gate_kind
        self.lent = lent

    def shapes(self, growth: Growth) -> dict[str, tuple[int, ...]]:
        """Returns the shapes of all weights of a growth."""
        return self._shapes(growth, self.read(growth))

    def _shapes(self, growth: Growth, read: Sequence[Sequence[int]]) -> dict[str, tuple[int, ...]]:
        return block_shapes(
            self.trunk,
            growth,
            classes=self.classes,
            inputs=self.inputs,
            units_read=read,
            gate_kind=self.gate_kind,
            lent=self.lent_to(growth),
        )

    def read(self, growth: Growth) -> list[list[int]]:
        """Returns, for each level, how many units of each earlier block a growth reads above it.

        Those that it borrows of the first network take the place of those that it would read.
        """
        lent = self.lent_to(growth)
        return [
            units if growth.reuse and (lent is None or lent.number != number) else [0] * len(units)
            for number, units in enumerate(self.old_units, start=1)
        ]

    def reads(self, growth: Growth) -> bool:
        """Tells whether a growth reads any unit of earlier blocks."""
        return any(map(sum, self.read(growth)))

    def lent_to(self, growth: Growth) -> Lent | None:
        """Returns what a growth borrows."""
        return None if self.lent is None else self.lent.to(growth)

    def feeds(self, growth: Growth) -> bool:
        """Tells whether every new unit, and the head, has something to read."""
        return all(math.prod(shape) > 0 for shape in self.shapes(growth).values())

    def initial(self, generator: torch.Generator) -> dict[str, Tensor]:
        """Returns fresh weights of which every growth's are slices."""
        return initialise(self._shapes(self.largest, self.stored), generator)

    def slice(self, weights: Mapping[str, Tensor], growth: Growth) -> dict[str, Tensor]:
        """Returns a growth's weights as slices of those that `initial` gave."""
        result: dict[str, Tensor] = {}
        wanted, read = self.shapes(growth), self.read(growth)
        for name, shape in wanted.items():
            if name.startswith("gate."):
                result[name] = weights[name]
                continue
            prefix, weight = name.split(".", 1)
            level = self.trunk.head if prefix == "head" else self.trunk.levels[int(prefix) - 1]
            value = weights[name]
            for dimension, role in enumerate(level.roles[weight]):
                start = 0
                if role == "in" and prefix != "1":
                    number = len(self.trunk.levels) if prefix == "head" else int(prefix) - 1
                    unread = sum(self.stored[number - 1]) - sum(read[number - 1])
                    start = unread * level.places_below
                value = value.narrow(dimension, start, shape[dimension])
            result[name] = value
        return result

    def logits(self, weights: Mapping[str, Tensor], growth: Growth, batch: Batch) -> Tensor:
        """Returns (batch, classes) of a growth with its own weights."""
        read = self.read(growth)

        def old(level: int) -> Tensor | None:
            return batch.old[level - 1] if sum(read[level - 1]) else None

        return run_block(
            self.trunk,
            growth,
            weights,
            batch.entry,
            old=old,
            units_read=lambda level: read[level - 1],
            lent=self.lent_to(growth),
        )
