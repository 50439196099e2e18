"""Where a task's weights start: fresh, or with its new units as copies of the first network's.

Copies learn from few samples what fresh units would need many for, and cost no parameter. The first
network's units are ranked by what they pass on, so that a narrow growth inherits those that counted
most. What new units read of earlier ones starts fresh, and so does the head: the labels are new.

On images they start as the mean of the first network's and of what each task since has made of its
copies: what one task alone wanted of them averages out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from bocl.freezing import readers_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

    from bocl.blocks import Block
    from bocl.candidate import Candidate
    from bocl.lending import Lent
    from bocl.network import Network
    from bocl.trunks.architectures import Trunk


def inherited(
    candidate: Candidate,
    fresh: Mapping[str, Tensor],
    blocks: Sequence[Block],
    inputs: Tensor | None,
) -> dict[str, Tensor]:
    """Returns fresh weights of a candidate's largest growth with the first network's in them.

    Args:
        candidate: the widest growth of a task.
        fresh: its weights as drawn.
        blocks: of earlier tasks; the first reads no other, all others' units began as its copies.
        inputs: input units that the candidate's level 1 reads, None for all.
    """
    trunk, largest, first = candidate.trunk, candidate.largest, blocks[0]
    result = dict(fresh)
    below = torch.zeros(0, dtype=torch.long)  # copied units of the level below
    for number, (level, width) in enumerate(zip(trunk.levels, largest.widths, strict=True), 1):
        units = _ranked(trunk, first, number)[:width]
        old = sum(candidate.stored[number - 2]) if number > 1 else 0
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
            if not trunk.flat:
                grown = (block for block in blocks[1:] if key in block.weights)
                copy = _mean(copy, [_own(block, trunk, number, name) for block in grown])
            result[key] = fresh[key].clone()
            result[key][tuple(place)] = copy
        below = units
    return result


def borrowable(network: Network, old_units: Sequence[Sequence[int]]) -> Lent | None:
    """Returns the first network's flattening level for the next task, None where it cannot borrow.

    Args:
        network: earlier tasks.
        old_units: for each level, the units of each earlier block that the task may read above it;
            one that reads any below the flattening level has other units there than copies.
    """
    number = network.trunk.flattening
    if number is None or not len(network) or any(old_units[number - 2]):
        return None
    return network.lent(_ranked(network.trunk, network.blocks[0], number - 1))


def _ranked(trunk: Trunk, first: Block, number: int) -> Tensor:
    """Returns a level's units, those first that pass on most: incoming times outgoing norm."""
    names = [name for name in trunk.levels[number - 1].roles if name in ("weight", "first")]
    incoming = first.weights[f"{number}.{names[0]}"].flatten(1).norm(dim=1)
    outgoing = torch.zeros_like(incoming)
    for name in readers_of(trunk, first.growth, number):
        entries = first.weights[name].transpose(0, 1).reshape(len(incoming), -1)
        outgoing = outgoing + entries.square().sum(1)
    return (incoming * outgoing.sqrt()).argsort(descending=True, stable=True)


def _own(block: Block, trunk: Trunk, number: int, name: str) -> Tensor:
    """Returns a block's weight of a level, without what it reads of earlier blocks."""
    level = trunk.levels[number - 1]
    weight = block.weights[f"{number}.{name}"]
    if number == 1 or level.roles[name][1:2] != ("in",):
        return weight
    below = block.growth.widths[number - 2] * level.places_below
    return weight[:, weight.shape[1] - below :]


def _mean(first: Tensor, others: Sequence[Tensor]) -> Tensor:
    """Returns, entry by entry, the mean of a weight and of others that may hold less or more."""
    total, count = first.clone(), torch.ones_like(first)
    for other in others:
        pairs = zip(first.shape, other.shape, strict=True)
        corner = tuple(slice(0, min(here, there)) for here, there in pairs)
        total[corner] += other[corner]
        count[corner] += 1
    return total / count


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
