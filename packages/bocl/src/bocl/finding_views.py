"""Finding the view under which a new task looks like an earlier one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from bocl.views import View, best_rotation, matching_order

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import Tensor

    from bocl.network import Network
    from bocl.streams.samples import Samples

MOST_MATCHED = 2000  # inputs: the assignment takes time cubic in them
JUDGED = 1000  # samples by which a view is judged
LEAST_GAIN = 0.05  # accuracy that a view must bring an earlier task's network, as it stands
GOOD_ENOUGH = 0.9  # an accuracy at which no other earlier task is tried


def find_view(
    network: Network,
    samples: Samples,
    classes: int,
    *,
    statistics: Tensor,
    earlier: Mapping[int, Tensor],
    kind: str,
) -> View:
    """Returns the view with the best accuracy of any earlier task's unchanged network.

    A view other than the identity is returned only when it brings clearly more; tasks whose labels
    mean something else find nothing and keep the identity.

    Args:
        network: earlier tasks.
        samples: of the new task.
        classes: of the new task.
        statistics: `class_statistics` of the new task.
        earlier: the same of earlier tasks, as they see their inputs.
        kind: `auto`, `permutation`, `rotation` or `none`.
    """
    judged = samples[torch.linspace(0, len(samples) - 1, min(JUDGED, len(samples))).long()]
    best, identity = (0.0, View()), 0.0
    references = [task for task in earlier if network.blocks[task].classes == classes]
    for task in references if kind != "none" else []:
        measure = _measure(network, task, judged)
        identity = max(identity, measure(View()))
        for view in _proposals(network, statistics, earlier[task], kind, measure):
            best = max(best, (measure(view), view), key=lambda scored: scored[0])
        if max(best[0], identity) >= GOOD_ENOUGH:
            break
    return best[1] if best[0] > identity + LEAST_GAIN else View()


def _measure(network: Network, task: int, judged: Samples) -> Callable[[View], float]:
    def measure(view: View) -> float:
        logits = network.logits(task, judged.inputs, view)
        return float((logits.argmax(1) == judged.targets).float().mean())

    return measure


def _proposals(
    network: Network,
    statistics: Tensor,
    reference: Tensor,
    kind: str,
    measure: Callable[[View], float],
) -> list[View]:
    shape = network.trunk.input_shape
    proposals = []
    if kind in ("auto", "permutation") and network.trunk.flat and len(statistics) <= MOST_MATCHED:
        proposals.append(View(order=matching_order(statistics, reference)))
    image = len(shape) == 3 and shape[1] == shape[2] and shape[1] > 1
    if kind in ("auto", "rotation") and image:
        if proposals and measure(proposals[0]) >= GOOD_ENOUGH:
            return proposals
        proposals.append(best_rotation(measure))
    return proposals
