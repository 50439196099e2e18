"""Views: how a task looks at its inputs before any block does.

A task may be an earlier one in disguise: the same images turned, or the same sensors wired in
another order. Then frozen features are worth nothing under its raw inputs and everything under the
right view. A view is found by what costs no training: statistics of the inputs and the accuracy
that an earlier task's network, as it stands, has under it. It belongs to the new task alone, so
nothing changes for earlier ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from scipy.optimize import linear_sum_assignment

from bocl.streams.rotation import rotate

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from bocl.streams.samples import Samples

ROTATION_STEPS = (15.0, 5.0, 2.0)  # degrees, coarse to fine


@dataclass(frozen=True)
class View:
    """A change of inputs (batch, *shape) that keeps their shape.

    Attributes:
        order: input `order[i]` is put in place i, or None.
        degrees: turn of the image, counter-clockwise.
    """

    order: Tensor | None = None
    degrees: float = 0.0

    def __call__(self, inputs: Tensor) -> Tensor:
        """Returns the inputs as the blocks see them."""
        if self.order is not None:
            inputs = inputs.flatten(1)[:, self.order].view_as(inputs)
        return rotate(inputs, self.degrees)

    @property
    def name(self) -> str:
        """For reports."""
        if self.order is not None:
            return "permutation"
        return f"rotation {self.degrees:g}°" if self.degrees else "identity"


def class_statistics(samples: Samples, classes: int) -> Tensor:
    """Returns mean and standard deviation of every input in every class: (inputs, 2 * classes)."""
    flat = samples.inputs.flatten(1)
    columns = []
    for label in range(classes):
        rows = flat[samples.targets == label]
        if len(rows) == 0:
            rows = flat
        columns += [rows.mean(0), rows.std(0, correction=0)]
    return torch.stack(columns, dim=1)


def matching_order(statistics: Tensor, reference: Tensor) -> Tensor:
    """Returns the order of inputs whose statistics lie closest to a reference's.

    The assignment minimises the summed squared distance of the statistics, exactly.

    Args:
        statistics: (inputs, k) of the new task.
        reference: (inputs, k) of the earlier task.
    """
    cost = torch.cdist(reference.double(), statistics.double()).square()
    _, order = linear_sum_assignment(cost.numpy())
    return torch.from_numpy(order)


def best_rotation(accuracy: Callable[[View], float]) -> View:
    """Returns the turn with the highest accuracy: a coarse search of the circle, refined twice."""
    step = ROTATION_STEPS[0]
    scores = {
        degrees: accuracy(View(degrees=degrees)) for degrees in torch.arange(0, 360, step).tolist()
    }
    best = max(scores, key=lambda degrees: scores[degrees])
    for finer in ROTATION_STEPS[1:]:
        reach = int(step / finer) - 1
        for place in range(-reach, reach + 1):
            degrees = best + place * finer
            if degrees not in scores:
                scores[degrees] = accuracy(View(degrees=degrees))
        best, step = max(scores, key=lambda degrees: scores[degrees]), finer
    return View(degrees=best % 360)
