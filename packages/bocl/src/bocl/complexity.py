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
        kind: `parameters` and `bytes` count weights, gates, head and the indices of kept inputs;
            `macs` the new units' multiply-accumulates per sample; `units` new units (RCL's).
    """
    if kind == "units":
        return float(sum(growth.widths))
    if kind == "macs":
        return float(_macs(candidate, growth))
    numbers = sum(math.prod(shape) for shape in candidate.shapes(growth).values())
    if candidate.trunk.flat and candidate.inputs < candidate.trunk.input_units and growth.widths[0]:
        numbers += candidate.inputs
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


def _macs(candidate: Candidate, growth: Growth) -> int:
    total, below = 0, candidate.inputs
    levels = zip(candidate.trunk.levels, growth.widths, candidate.old_units, strict=True)
    for level, width, old in levels:
        if width:
            total += level.macs(below, width)
        below = width + (sum(old) if growth.reuse else 0)
    return total + candidate.trunk.head.macs(below, candidate.classes)
