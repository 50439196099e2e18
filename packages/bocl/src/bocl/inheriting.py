"""Where a task's weights start: fresh, or with its new units as copies of the first network's.

Copies learn from few samples what fresh units would need many for, and cost no parameter. The first
network's units are ranked by what they pass on, so that a narrow growth inherits those that counted
most. What new units read of earlier ones starts fresh, and so does the head: the labels are new.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from bocl.freezing import readers_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from bocl.blocks import Block
    from bocl.candidate import Candidate
    from bocl.trunks.architectures import Trunk


def inherited(
    candidate: Candidate, fresh: Mapping[str, Tensor], first: Block, inputs: Tensor | None
) -> dict[str, Tensor]:
    """Returns fresh weights of a candidate's largest growth with the first network's in them.

    Args:
        candidate: the widest growth of a task.
        fresh: its weights as drawn.
        first: the first task's block, which reads no other.
        inputs: input units that the candidate's level 1 reads, None for all.
    """
    trunk, largest = candidate.trunk, candidate.largest
    result = dict(fresh)
    below = torch.zeros(0, dtype=torch.long)  # copied units of the level below
    for number, (level, width) in enumerate(zip(trunk.levels, largest.widths, strict=True), 1):
        units = ranked(trunk, first, number)[:width]
        old = sum(candidate.old_units[number - 2]) if number > 1 and largest.reuse else 0
        for name, roles in level.roles.items():
            key = f"{number}.{name}"
            if key not in fresh:
                continue
            copy = first.weights[key].index_select(0, units)
            place = [slice(0, len(units))]
            if roles[1:2] == ("out",):
                copy = copy.index_select(1, units)
                place.append(slice(0, len(units)))
            elif roles[1:2] == ("in",) and number == 1:
                copy = _on_inputs(copy, first, inputs, trunk)
            elif roles[1:2] == ("in",):
                copy = copy.index_select(1, _flattened(below, level.places_below))
                start = old * level.places_below
                place.append(slice(start, start + copy.shape[1]))
            result[key] = fresh[key].clone()
            result[key][tuple(place)] = copy
        below = units
    return result


def ranked(trunk: Trunk, first: Block, number: int) -> Tensor:
    """Returns a level's units, those first that pass on most: incoming times outgoing norm."""
    names = [name for name in trunk.levels[number - 1].roles if name in ("weight", "first")]
    incoming = first.weights[f"{number}.{names[0]}"].flatten(1).norm(dim=1)
    outgoing = torch.zeros_like(incoming)
    for name in readers_of(trunk, first.growth, number):
        entries = first.weights[name].transpose(0, 1).reshape(len(incoming), -1)
        outgoing = outgoing + entries.square().sum(1)
    return (incoming * outgoing.sqrt()).argsort(descending=True, stable=True)


def _on_inputs(weight: Tensor, first: Block, inputs: Tensor | None, trunk: Trunk) -> Tensor:
    """Returns level-1 weights for other kept inputs; 0 for those that the first network lacks."""
    if first.inputs is not None:
        whole = weight.new_zeros(len(weight), trunk.input_units)
        whole[:, first.inputs] = weight
        weight = whole
    return weight if inputs is None else weight.index_select(1, inputs)


def _flattened(units: Tensor, places: int) -> Tensor:
    """Returns the inputs of a reading weight that belong to some units below."""
    return (units[:, None] * places + torch.arange(places)).flatten()
