"""What growth costs, exactly: parameters, multiply-accumulates, bytes or units."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from bocl.candidate import Candidate
from bocl.growth import Growth

if TYPE_CHECKING:
    from bocl.trunks.architectures import Trunk

BYTES_PER_NUMBER = 4


def growth_cost(candidate: Candidate, growth: Growth, kind: str) -> float:
    """Returns what a growth adds, in the kind's own unit.

    Args:
        candidate: what the growth would be a slice of.
        growth: units per level.
        kind: `parameters` and `bytes` count weights, gates, head and the indices of what is read;
            `macs` the new units' multiply-accumulates per sample; `units` new units (RCL's).
    """
    if kind == "units":
        return float(sum(growth.widths))
    if kind == "macs":
        return float(_macs(candidate, growth))
    numbers = sum(math.prod(shape) for shape in candidate.shapes(growth).values())
    numbers += _indices(candidate, growth)
    return float(numbers * (BYTES_PER_NUMBER if kind == "bytes" else 1))


def base_cost(trunk: Trunk, base: tuple[int, ...], classes: int, kind: str) -> float:
    """Returns the same for a first task of base widths that reads all inputs; 1 for units."""
    if kind == "units":
        return 1.0
    alone = Growth(base, reuse=False)
    nothing: list[list[int]] = [[] for _ in base]
    candidate = Candidate(
        trunk,
        alone,
        classes=classes,
        inputs=trunk.input_units,
        old_units=nothing,
        gate_kind="none",
    )
    return growth_cost(candidate, alone, kind)


def _indices(candidate: Candidate, growth: Growth) -> int:
    """Returns how many inputs, earlier units and copied units are told by their place."""
    every = candidate.inputs == candidate.trunk.input_units
    inputs = candidate.inputs if candidate.trunk.flat and growth.widths[0] and not every else 0
    readers = (*growth.widths[1:], candidate.classes)
    levels = zip(candidate.read(growth), readers, strict=True)
    read = sum(sum(units) for units, reader in levels if reader)
    lent = candidate.lent_to(growth)
    return inputs + read + (0 if lent is None else len(lent.copied))


def _macs(candidate: Candidate, growth: Growth) -> int:
    total, below = 0, candidate.inputs
    lent = candidate.lent_to(growth)
    levels = zip(candidate.trunk.levels, growth.widths, candidate.read(growth), strict=True)
    for number, (level, width, old) in enumerate(levels, start=1):
        if width:
            total += level.macs(below, width)
        below = width + sum(old)
        if lent is not None and lent.number == number:
            total += lent.macs(level)
            below += lent.width
    return total + candidate.trunk.head.macs(below, candidate.classes)
