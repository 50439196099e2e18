"""From trained weights to a frozen block: unread units are cut, gates become plain numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from bocl import gates
from bocl.blocks import Block

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

    from bocl.cache import FeatureCache
    from bocl.candidate import Candidate
    from bocl.growth import Growth
    from bocl.trunks.architectures import Trunk
    from bocl.views import View

SAMPLED = 2000  # rows by which a unit's size is judged


def readers_of(trunk: Trunk, growth: Growth, level: int) -> list[str]:
    """Returns the names of all weights that read above a level (a residual level has two)."""
    if level == len(growth.widths):
        return ["head.weight"]
    if growth.widths[level] == 0:
        return []
    readers = ("weight", "first", "shortcut")
    return [f"{level + 1}.{name}" for name in trunk.levels[level].roles if name in readers]


def unread_units(
    candidate: Candidate,
    growth: Growth,
    weights: Mapping[str, Tensor],
    data: FeatureCache,
    share: float,
) -> dict[int, Tensor]:
    """Returns, for each level read, which earlier units (units,) bool count too little.

    A unit counts by the size of what it adds: its gate times the norm of its column times the root
    mean square of its feature; too little is less than `share` of the largest.
    """
    if share == 0 or not candidate.reads(growth):
        return {}
    read = candidate.read(growth)
    batch = data.batch(torch.arange(min(SAMPLED, len(data))))
    result = {}
    for level, features in enumerate(batch.old, start=1):
        names = readers_of(candidate.trunk, growth, level)
        units = read[level - 1]
        if not names or sum(units) == 0:
            continue
        size = features.transpose(0, 1).flatten(1).square().mean(1)
        entries = torch.cat(
            [columns(weights, name, sum(units), candidate.trunk) for name in names], 1
        )
        score = (size * entries.square().sum(1)).sqrt()
        vector = gates.vector(weights, level, units)
        if vector is not None:
            score = score * vector
        result[level] = score < share * score.max()
    return result


def zeroed(
    candidate: Candidate,
    growth: Growth,
    weights: Mapping[str, Tensor],
    unread: Mapping[int, Tensor],
) -> dict[str, Tensor]:
    """Returns, by name, which entries of weights (bool) belong to unread units."""
    result: dict[str, Tensor] = {}
    for level, units in unread.items():
        for name in readers_of(candidate.trunk, growth, level):
            weight = weights[name]
            mask = torch.zeros_like(weight, dtype=torch.bool)
            inputs = spread(units, name, candidate.trunk)
            mask[:, : len(inputs)] = inputs.view(1, -1, *(1,) * (weight.ndim - 2))
            result[name] = mask
        down = f"gate.{level}.down"
        if down in weights:
            result[down] = units.expand_as(weights[down]).clone()
    return result


def _places(name: str, trunk: Trunk) -> int:
    """Returns the inputs of a reading weight per unit below."""
    prefix = name.split(".", maxsplit=1)[0]
    level = trunk.head if prefix == "head" else trunk.levels[int(prefix) - 1]
    return level.places_below


def columns(weights: Mapping[str, Tensor], name: str, units: int, trunk: Trunk) -> Tensor:
    """Returns (units, entries): all entries of a reading weight by earlier unit."""
    weight = weights[name].detach().transpose(0, 1)
    return weight[: units * _places(name, trunk)].reshape(units, -1)


def spread(units: Tensor, name: str, trunk: Trunk) -> Tensor:
    """Returns values (units,) of earlier units as values of a reading weight's first inputs."""
    return units.repeat_interleave(_places(name, trunk))


def without_inputs(weight: Tensor, kept: Tensor) -> Tensor:
    """Returns a reading weight (out, in, ...) with only those of its first inputs that are kept.

    Args:
        weight: earlier units' inputs come first, the block's own after them.
        kept: (first inputs,) bool.
    """
    own = torch.ones(weight.shape[1] - len(kept), dtype=torch.bool)
    return weight[:, torch.cat([kept, own])].contiguous()


def freeze(
    candidate: Candidate,
    growth: Growth,
    weights: Mapping[str, Tensor],
    *,
    unread: Mapping[int, Tensor],
    view: View,
    inputs: Tensor | None,
    offered: Sequence[Sequence[Tensor]] | None = None,
) -> Block:
    """Returns the block of trained weights: the same function, without what is not read.

    Args:
        candidate: what the growth is a slice of.
        growth: units per level.
        weights: trained.
        unread: from `unread_units`; the weights of those units are zero.
        view: of the task.
        inputs: kept input units, None for all.
        offered: for each level and earlier block, which of its units the candidate's old units are;
            None for all.
    """
    frozen = {name: weight.clone() for name, weight in weights.items()}
    reads: list[tuple[Tensor, ...]] = []
    attention: list[tuple[float, ...]] = []
    for level, units in enumerate(candidate.read(growth), start=1):
        names = readers_of(candidate.trunk, growth, level)
        total = sum(units)
        if not names or total == 0:
            reads.append(tuple(torch.zeros(0, dtype=torch.long) for _ in units))
            attention.append(tuple(0.0 for _ in units))
            continue
        kept = ~unread.get(level, torch.zeros(total, dtype=torch.bool))
        vector = gates.vector(weights, level, units)
        fixed = torch.ones(total) if vector is None else vector.detach()
        shares = torch.split(torch.where(kept, fixed, 0.0), units)
        parts = torch.split(kept, units)
        named = [torch.arange(n) for n in units] if offered is None else offered[level - 1]
        reads.append(tuple(own[part] for own, part in zip(named, parts, strict=True)))
        attention.append(tuple(float(part.mean()) if len(part) else 0.0 for part in shares))
        for name in names:
            frozen[name] = without_inputs(frozen[name], spread(kept, name, candidate.trunk))
        for kind in ("unit", "task"):
            frozen.pop(f"gate.{level}.{kind}", None)
        if vector is not None and bool(kept.any()):
            frozen[f"gate.{level}.fixed"] = fixed[kept].clone()
        if f"gate.{level}.down" in frozen:
            if bool(kept.any()):
                frozen[f"gate.{level}.down"] = frozen[f"gate.{level}.down"][:, kept].contiguous()
                frozen[f"gate.{level}.up"] = frozen[f"gate.{level}.up"][kept].contiguous()
            else:
                del frozen[f"gate.{level}.down"], frozen[f"gate.{level}.up"]
    lent = candidate.lent_to(growth)
    return Block(
        growth,
        int(frozen["head.weight"].shape[0]),
        view,
        inputs if growth.widths[0] else None,
        tuple(reads),
        frozen,
        tuple(attention),
        None if lent is None else lent.copied,
    )


def silent_units(
    candidate: Candidate, growth: Growth, weights: Mapping[str, Tensor], level: int
) -> Tensor:
    """Returns which earlier units (units,) bool have only zero weights above a level."""
    total = sum(candidate.read(growth)[level - 1])
    names = readers_of(candidate.trunk, growth, level)
    if not names or total == 0:
        return torch.zeros(0, dtype=torch.bool)
    entries = torch.cat([columns(weights, name, total, candidate.trunk) for name in names], 1)
    return (entries == 0).all(1)
