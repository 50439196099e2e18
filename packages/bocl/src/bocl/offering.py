"""Which earlier units a new task may read: the telling ones, no more than the first network has.

Without a bound a task would read all units of all earlier tasks, and weights would grow with the
square of the number of tasks. Units are chosen one by one: the next is the one that most of the
class differences hang on, of all that the chosen ones do not say already (a pivoted Cholesky
factorisation of the units' covariance, each unit weighted by its between- to within-class
variance).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

JUDGED = 2000  # samples by which units are chosen
LEAST = 1e-6  # of the largest weight: what is left of a unit that the chosen ones determine


def offered_units(features: Sequence[Tensor], targets: Tensor, most: Sequence[int]) -> list[Tensor]:
    """Returns, for each level, the sorted indices of the units that a task may read.

    Args:
        features: for each level, all earlier units (batch, units, *places).
        targets: (batch,) labels of the new task.
        most: units per level.
    """
    return [
        torch.arange(part.shape[1]) if part.shape[1] <= limit else _telling(part, targets, limit)
        for part, limit in zip(features, most, strict=True)
    ]


def _telling(features: Tensor, targets: Tensor, most: int) -> Tensor:
    weighted = _weighted(features.flatten(2).mean(2) if features.ndim > 2 else features, targets)
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

    Units that never change become zero.
    """
    values = values.double()
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
