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

from bocl.inheriting import ranked

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

    from bocl.blocks import Block
    from bocl.growth import Growth
    from bocl.network import Network
    from bocl.trunks.architectures import Trunk
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
        placed = own.new_zeros(len(own), self.below, *own.shape[2:])
        return level(self.weights, placed.index_copy(1, self.copied, own[:, : len(self.copied)]))

    def macs(self, level: Level) -> int:
        """Returns multiply-accumulates per sample, whatever the borrower's width below."""
        return level.macs(self.below, self.width)

    def to(self, growth: Growth) -> Lent | None:
        """Returns what a growth borrows: nothing without own units, or where it reads no other."""
        if not growth.reuse or growth.widths[self.number - 1] == 0:
            return None
        return replace(self, copied=self.copied[: growth.widths[self.number - 2]])


def lent(trunk: Trunk, first: Block, copied: Tensor) -> Lent:
    """Returns the first block's flattening level for a borrower of some copied units."""
    number = trunk.flattening
    if number is None:
        raise AssertionError(f"trunk {trunk.name} has no level to lend")
    weights = {name: first.weights[f"{number}.{name}"] for name in trunk.levels[number - 1].roles}
    return Lent(number, weights, first.growth.widths[number - 2], copied)


def offer(network: Network, old_units: Sequence[Sequence[int]]) -> Lent | None:
    """Returns what the next task may borrow.

    Args:
        network: earlier tasks.
        old_units: for each level, the units of each earlier block that the task may read above it;
            one that reads maps below the lent level has others than copies there, and gets none.
    """
    trunk = network.trunk
    number = trunk.flattening
    if number is None or not len(network) or sum(old_units[number - 2]):
        return None
    first = network.blocks[0]
    return lent(trunk, first, ranked(trunk, first, number - 1))
