"""Attention of a task over the features of earlier tasks' blocks: gates that start at the identity.

For level l the units read, of all earlier blocks in order, are multiplied by A:

    unit    A = 2 sigmoid(g), one g per unit read
    task    A = m softmax(e)_j for every unit of the j-th of m earlier blocks
    both    their product (the default)
    input   A = 2 sigmoid(W2 relu(W1 p)), p the units' means over places: depends on the sample
    none    A = 1

The source is BOCL's abstract ("selectively by attention"); the equations are our reconstruction.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

REDUCTION = 16


def shapes(kind: str, level: int, units: Sequence[int]) -> dict[str, tuple[int, ...]]:
    """Returns the shapes of a gate's weights for the units read of each earlier block."""
    total = sum(units)
    if total == 0 or kind == "none":
        return {}
    result: dict[str, tuple[int, ...]] = {}
    if kind in ("unit", "both"):
        result[f"gate.{level}.unit"] = (total,)
    if kind in ("task", "both"):
        result[f"gate.{level}.task"] = (len(units),)
    if kind == "input":
        inner = max(4, total // REDUCTION)
        result[f"gate.{level}.down"] = (inner, total)
        result[f"gate.{level}.up"] = (total, inner)
    return result


@cache
def _sources(units: tuple[int, ...]) -> Tensor:
    """Returns, for every unit, the number of its block: (sum of units,)."""
    return torch.arange(len(units)).repeat_interleave(torch.tensor(units))


def mean_unit_gate(weights: Mapping[str, Tensor], level: int) -> Tensor | None:
    """Returns the mean of a level's unit gates, what the sparsity penalty weighs; None without."""
    unit = weights.get(f"gate.{level}.unit")
    return None if unit is None else 2 * torch.sigmoid(unit).mean()


def vector(weights: Mapping[str, Tensor], level: int, units: Sequence[int]) -> Tensor | None:
    """Returns the gates (units,) of a level that do not depend on the sample, None for identity."""
    fixed = weights.get(f"gate.{level}.fixed")
    if fixed is not None:
        return fixed
    result = None
    if (unit := weights.get(f"gate.{level}.unit")) is not None:
        result = 2 * torch.sigmoid(unit)
    if (task := weights.get(f"gate.{level}.task")) is not None:
        shares = len(units) * torch.softmax(task, 0)
        spread = shares[_sources(tuple(units))]
        result = spread if result is None else result * spread
    return result


def apply(
    weights: Mapping[str, Tensor], level: int, units: Sequence[int], features: Tensor
) -> Tensor:
    """Returns features (batch, units, *places) times their gates."""
    places = (1,) * (features.ndim - 2)
    gates = vector(weights, level, units)
    if gates is not None:
        features = features * gates.view(1, -1, *places)
    down = weights.get(f"gate.{level}.down")
    if down is not None:
        means = features.flatten(2).mean(2) if places else features
        inner = torch.relu(means @ down.T)
        gates = 2 * torch.sigmoid(inner @ weights[f"gate.{level}.up"].T)
        features = features * gates.view(*gates.shape, *places)
    return features
