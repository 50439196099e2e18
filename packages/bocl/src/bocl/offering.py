"""Which earlier units a new task may read: the telling ones, a bounded number of a few blocks.

Without a bound a task would read all units of all earlier tasks: its weights would grow with the
square of the number of tasks, and its answer would need every earlier block. Per level the blocks
whose units tell the classes apart most are kept, and of these units are chosen one by one: the next
is the one that most of the class differences hang on, of all that the chosen ones do not say
already (a pivoted Cholesky factorisation of the units' covariance, each unit weighted by its
between- to within-class variance).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

JUDGED = 2000  # samples by which units are chosen
LEAST = 1e-6  # of the largest weight: what is left of a unit that the chosen ones determine
SOURCES = 3  # blocks read at a level


def offered_units(
    features: Sequence[Tensor],
    targets: Tensor,
    most: Sequence[int],
    widths: Sequence[Sequence[int]],
) -> list[Tensor]:
    """Returns, for each level, the sorted indices of the units that a task may read.

    Args:
        features: for each level, all earlier units (batch, units, *places).
        targets: (batch,) labels of the new task.
        most: units per level.
        widths: for each level, units of each block.
    """
    offered = []
    for part, limit, blocks in zip(features, most, widths, strict=True):
        units = sum(blocks)
        few = units <= limit and sum(width > 0 for width in blocks) <= SOURCES
        if few or limit == 0:
            offered.append(torch.arange(min(units, limit)))
        else:
            offered.append(_telling(part, targets, limit, blocks))
    return offered


def _telling(features: Tensor, targets: Tensor, most: int, blocks: Sequence[int]) -> Tensor:
    weighted = _weighted(features, targets)
    told = torch.stack([part.square().sum() for part in torch.split(weighted, list(blocks), 1)])
    left_out = told.argsort(descending=True, stable=True)[SOURCES:]
    owner = torch.arange(len(blocks)).repeat_interleave(torch.tensor(blocks))
    weighted[:, torch.isin(owner, left_out)] = 0.0
    left = weighted.square().sum(0)
    floor = LEAST * float(left.max())
    factors = weighted.new_zeros(most, weighted.shape[1])
    chosen: list[int] = []
    for step in range(most):
        unit = int(left.argmax())
        if left[unit] <= floor:
            break
        row = weighted[:, unit] @ weighted - factors[:step, unit] @ factors[:step]
        factors[step] = row / left[unit].sqrt()
        left = left - factors[step].square()
        left[unit] = -1.0
        chosen.append(unit)
    return torch.tensor(sorted(chosen), dtype=torch.long)


def _weighted(values: Tensor, targets: Tensor) -> Tensor:
    """Returns (batch, units): standardised, times the root of between- over within-class variance.

    Images are averaged over their places; units that never change become zero.
    """
    values = (values.flatten(2).mean(2) if values.ndim > 2 else values).double()
    means = torch.stack([values[targets == label].mean(0) for label in torch.unique(targets)])
    within = (values - means[torch.unique(targets, return_inverse=True)[1]]).square().mean(0)
    between = means.var(0, correction=0)
    deviation = values.std(0, correction=0)
    changing = deviation > 0
    scale = torch.where(changing, deviation, 1.0)
    share = torch.where(changing, (between / within.clamp(min=1e-12)).sqrt(), 0.0)
    return (values - values.mean(0)) / scale * share


def by_block(units: Tensor, widths: Sequence[int]) -> list[Tensor]:
    """Returns, for each block, the offered units counted within the block.

    Args:
        units: sorted indices over all blocks' units in order.
        widths: units of each block.
    """
    parts, start = [], 0
    for width in widths:
        inside = units[(units >= start) & (units < start + width)]
        parts.append(inside - start)
        start += width
    return parts
