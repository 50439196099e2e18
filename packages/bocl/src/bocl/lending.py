"""The first network's flattening level, lent: run, frozen, over a later task's own maps.

A dense level that flattens maps holds nearly all weights of its network (LeNet: 95 %), so that a
later task can afford few units of its own there. But its maps start as copies of the first
network's, and what the first network makes of such maps tells new classes apart as well. A task
that borrows the level stores for it only the head's weights, and which map is a copy of which:

    e_t^l = level_1^l( P_t h_t^{l-1} )      P_t: own maps to the places of those they copy
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from bocl.growth import Growth
    from bocl.trunks.levels import Level


@dataclass(frozen=True)
class Lent:
    """A level of the first network as a borrower runs it.

    Attributes:
        number: of the level, from 2.
        weights: the first network's.
        below: units that the first network has below it.
        copied: (n,) which of them the borrower's first n units below started as copies of.
    """

    number: int
    weights: Mapping[str, Tensor]
    below: int
    copied: Tensor

    @property
    def width(self) -> int:
        """Units of the level."""
        return len(self.weights["bias"])

    def __call__(self, level: Level, own: Tensor) -> Tensor:
        """Returns the level's features (batch, width) of own maps (batch, units, *places)."""
        placed = own.new_zeros(own.shape[0], self.below, *own.shape[2:])
        return level(self.weights, placed.index_copy(1, self.copied, own[:, : len(self.copied)]))

    def macs(self, level: Level) -> int:
        """Returns multiply-accumulates per sample, whatever the borrower's width below."""
        return level.macs(self.below, self.width)

    def to(self, growth: Growth) -> Lent | None:
        """Returns what a growth borrows: nothing if it stands alone or has no unit there."""
        if not growth.reuse or growth.widths[self.number - 1] == 0:
            return None
        return replace(self, copied=self.copied[: growth.widths[self.number - 2]])
