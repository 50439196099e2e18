"""The growths that a task may choose: an ordinal lattice, log-spaced in the widths."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from bocl.growth import Growth

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

MOST_CHOICES = 3000  # the acquisition is evaluated on all of them
MOST_UNEVEN = 8  # widest over narrowest level, as shares of the largest, of a growth without reuse


@dataclass(frozen=True)
class Space:
    """All feasible growths.

    Attributes:
        largest: most units per level.
        choices: in a fixed order, no growth first.
    """

    largest: tuple[int, ...]
    choices: tuple[Growth, ...]

    def encode(self, growths: Sequence[Growth]) -> Tensor:
        """Returns (n, levels + 1) in [0, 1], float64: log2(1 + width) per level, and reuse."""
        tops = [math.log2(1 + most) for most in self.largest]
        rows = [
            [
                *(math.log2(1 + w) / top for w, top in zip(growth.widths, tops, strict=True)),
                float(growth.reuse),
            ]
            for growth in growths
        ]
        return torch.tensor(rows, dtype=torch.float64).view(-1, len(self.largest) + 1)


def log_space(largest: Sequence[int]) -> Space:
    """Returns the lattice of widths 0, 1, 2, 4, ... up to the largest, with and without reuse.

    Growths without reuse whose levels are very uneven are left out: their narrowest level decides.
    The widths are thinned, small ones first, until at most `MOST_CHOICES` growths are left.
    """
    for step in range(1, 12):
        widths = [_widths(most, step) for most in largest]
        choices = _feasible(widths)
        if len(choices) <= MOST_CHOICES:
            return Space(tuple(largest), choices)
    raise AssertionError("a lattice of two widths per level is always small")


def full_space(largest: Sequence[int], most: int) -> Space:
    """Returns every width 0 ... most per level, with reuse: RCL's space (most = 29)."""
    tops = tuple(min(most, width) for width in largest)
    widths = itertools.product(*(range(top + 1) for top in tops))
    choices = sorted(Growth(w) for w in widths)  # RCL's space: dead ends too
    return Space(tops, tuple(choices))


def _widths(most: int, step: int) -> list[int]:
    powers, width = [], most
    while width >= 1:
        powers.append(width)
        width //= 2**step
    return [0, *reversed(powers)]


def _feasible(widths: Sequence[Sequence[int]]) -> tuple[Growth, ...]:
    growths = (
        Growth(combination, reuse)
        for reuse in (True, False)
        for combination in itertools.product(*widths)
    )
    largest = [level[-1] for level in widths]
    return tuple(growth for growth in growths if growth.feasible and _sensible(growth, largest))


def _sensible(growth: Growth, largest: Sequence[int]) -> bool:
    """Tells whether a growth that stands alone has no level far narrower than its others."""
    shares = [width / most for width, most in zip(growth.widths, largest, strict=True)]
    return growth.reuse or max(shares) <= MOST_UNEVEN * min(shares)
