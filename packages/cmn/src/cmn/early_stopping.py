"""Early stopping: run epochs, measure each on validation, end with the best one's weights."""

from __future__ import annotations

import dataclasses
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from cmn.checkpoints import Progress
from cmn.errors import TrainingDivergedError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np
    from torch import Tensor, nn

    from cmn.checkpoints import Checkpoints

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


class Resumable(Protocol):
    """An optimiser whose state can be kept."""

    def state(self) -> dict[str, Tensor]:
        """Returns what the next step depends on, by name."""

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Continues from a state."""


class Trainer(Protocol):
    """Who runs an epoch; between epochs, its whole state is in its module and optimiser."""

    @property
    def optimiser(self) -> Resumable:
        """What moves the weights."""

    def train_epoch(self, number: int) -> float:
        """Runs the epoch of the given number, from 1, and returns its mean loss."""


@dataclass(frozen=True)
class Schedule:
    """How long one phase trains and which epoch it ends with.

    Attributes:
        phase: its name in the reports.
        epochs: the most epochs, at least 1.
        patience: epochs without a better validation NDCG@10 before stopping.
        keep: `best` ends with the weights of the best epoch, `last` runs all and keeps the last.
    """

    phase: str
    epochs: int
    patience: int
    keep: str = "best"


def train_until_best(
    module: nn.Module,
    trainer: Trainer,
    schedule: Schedule,
    *,
    generator: np.random.Generator,
    checkpoints: Checkpoints,
    validate: Callable[[], dict[str, float]],
    report: Callable[[Epoch], None],
) -> Epoch:
    """Trains a module and leaves it with the weights of its best or last epoch, which is returned.

    Where `checkpoints` hold progress of this phase, it continues from there to the same weights,
    bit for bit, as if it had never stopped.

    Args:
        module: what is trained.
        trainer: trains it.
        schedule: how long.
        generator: what the trainer draws from.
        checkpoints: where progress is kept after each epoch.
        validate: returns validation metrics of the module as it is.
        report: hears of each epoch.

    Raises:
        TrainingDivergedError: the loss is not finite.
    """
    best: Epoch | None = None
    weights: dict[str, Tensor] = {}
    number = 0
    progress = checkpoints.load()
    if progress is not None and progress.facts["phase"] == schedule.phase:
        module.load_state_dict(_prefixed(progress, "module."))
        trainer.optimiser.restore(_prefixed(progress, "optimiser."))
        weights = _prefixed(progress, "best.")
        best, number = Epoch(**progress.facts["best"]), progress.facts["number"]
        generator.bit_generator.state = progress.facts["generator"]
    while number < schedule.epochs and not _out_of_patience(best, number, schedule):
        number += 1
        epoch = _run(trainer, number, schedule.phase, validate)
        if best is None or schedule.keep == "last" or _value(epoch) > _value(best):
            best, weights = epoch, _copies(module.state_dict())
        facts = {
            "phase": schedule.phase,
            "number": number,
            "best": dataclasses.asdict(best),
            "generator": generator.bit_generator.state,
        }
        tensors = {
            **_named("module.", module.state_dict()),
            **_named("optimiser.", trainer.optimiser.state()),
            **_named("best.", weights),
        }
        checkpoints.save(Progress(facts, tensors))
        report(epoch)
    if best is None:
        raise ValueError(f"epochs is {schedule.epochs}; at least 1 is needed")
    module.load_state_dict(weights)
    return best


def _out_of_patience(best: Epoch | None, number: int, schedule: Schedule) -> bool:
    return (
        best is not None and schedule.keep == "best" and number - best.number >= schedule.patience
    )


def _run(
    trainer: Trainer, number: int, phase: str, validate: Callable[[], dict[str, float]]
) -> Epoch:
    started = time.perf_counter()
    loss = trainer.train_epoch(number)
    if not math.isfinite(loss):
        raise TrainingDivergedError(
            f"the loss is {loss} in {phase} epoch {number}; a lower learning rate may help"
        )
    return Epoch(phase, number, loss, validate(), time.perf_counter() - started)


def _value(epoch: Epoch) -> float:
    return epoch.metrics[CRITERION]


def _copies(tensors: dict[str, Any]) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in tensors.items()}


def _named(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {f"{prefix}{name}": value for name, value in tensors.items()}


def _prefixed(progress: Progress, prefix: str) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): value
        for name, value in progress.tensors.items()
        if name.startswith(prefix)
    }
