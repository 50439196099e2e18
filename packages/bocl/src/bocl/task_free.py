"""Prediction without being told the task: the router's odds and every task's own network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from bocl.network import Network
    from bocl.routing import Router


@torch.no_grad()
def predict_pairs(
    network: Network, router: Router, inputs: Tensor
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Returns (task, label within it), both (batch,): class-incremental prediction.

    Each class of each task scores log p(task | x), by the router's prototypes, plus
    log p(class | x, task), by the task's own network; the best of all wins.

    Args:
        network: all tasks.
        router: has their moments.
        inputs: (batch, *input_shape).
    """
    log_odds = router.task_log_odds(inputs)
    scores, sizes = [], []
    for task in range(len(network)):
        within = torch.log_softmax(network.logits(task, inputs), dim=1)
        scores.append(within + log_odds[:, task : task + 1])
        sizes.append(within.shape[1])
    best = torch.cat(scores, dim=1).argmax(1)
    starts = torch.tensor([0, *sizes[:-1]]).cumsum(0)
    tasks = torch.searchsorted(starts, best, right=True) - 1
    return tasks.numpy(), (best - starts[tasks]).numpy()
