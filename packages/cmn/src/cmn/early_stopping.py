"""Early stopping: run epochs, measure each on validation, end with the best one's weights."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cmn.errors import TrainingDivergedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import nn

CRITERION = "ndcg@10"


@dataclass(frozen=True)
class Epoch:
    """One epoch as seen from outside.

    Attributes:
        phase: what is being trained.
        number: from 1.
        loss: mean over the epoch's steps.
        metrics: on validation, by name.
        seconds: wall time of training and validation together.
    """

    phase: str
    number: int
    loss: float
    metrics: dict[str, float]
    seconds: float


def train_until_best(
    module: nn.Module,
    *,
    phase: str,
    epochs: int,
    patience: int,
    train_epoch: Callable[[int], float],
    validate: Callable[[], dict[str, float]],
    report: Callable[[Epoch], None],
) -> Epoch:
    """Trains a module and leaves it with the weights of its best epoch, which is returned.

    Args:
        module: what is trained.
        phase: its name in the reports.
        epochs: the most epochs, at least 1.
        patience: epochs without a better validation NDCG@10 before stopping.
        train_epoch: runs the epoch of the given number and returns its mean loss.
        validate: returns validation metrics of the module as it is.
        report: hears of each epoch.

    Raises:
        TrainingDivergedError: the loss is not finite.
    """
    best, weights = None, {}
    for number in range(1, epochs + 1):
        started = time.perf_counter()
        loss = train_epoch(number)
        if not math.isfinite(loss):
            raise TrainingDivergedError(
                f"the loss is {loss} in {phase} epoch {number}; a lower learning rate may help"
            )
        epoch = Epoch(phase, number, loss, validate(), time.perf_counter() - started)
        report(epoch)
        if best is None or epoch.metrics[CRITERION] > best.metrics[CRITERION]:
            best = epoch
            weights = {name: value.clone() for name, value in module.state_dict().items()}
        elif number - best.number >= patience:
            break
    if best is None:
        raise ValueError(f"epochs is {epochs}; at least 1 is needed")
    module.load_state_dict(weights)
    return best
