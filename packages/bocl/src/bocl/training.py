"""The training loop: plain, resumable at every epoch, the same for search and final training."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

import torch
from torch.nn import functional

from bocl import seeds
from bocl.errors import TrainingDivergedError
from bocl.parameters import Adam, Parameters

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from torch import Tensor


@dataclass(frozen=True)
class Schedule:
    """How long and how fast.

    Attributes:
        epochs: passes over the data.
        batch: samples in a step.
        rate: Adam's step size; with `annealed`, its peak.
        annealed: rises over the first tenth of all steps, then falls as a cosine to zero.
        shuffled: new order in every epoch.
        decay: L2 penalty (RCL: 1e-4).
    """

    epochs: int
    batch: int = 128
    rate: float = 2e-3
    annealed: bool = True
    shuffled: bool = True
    decay: float = 0.0

    def rate_at(self, step: int, steps: int) -> float:
        """Returns the step size of step `step` of `steps`."""
        if not self.annealed:
            return self.rate
        rise = max(1, steps // 10)
        if step < rise:
            return self.rate * (step + 1) / rise
        return self.rate * 0.5 * (1 + math.cos(math.pi * (step - rise) / max(1, steps - rise)))


B = TypeVar("B")
B_co = TypeVar("B_co", covariant=True)


class Data(Protocol[B_co]):
    """Samples that give batches of some kind."""

    def __len__(self) -> int: ...

    def batch(self, rows: Tensor, coin: torch.Generator | None = None) -> B_co:
        """Returns some rows; with a coin, augmented by chance."""
        ...


class Keeper(Protocol):
    """Keeps unfinished work for a resumed run."""

    def load(self, name: str) -> dict[str, Tensor] | None:
        """Returns what was saved under a name, None if nothing."""
        ...

    def save(self, name: str, tensors: dict[str, Tensor]) -> None:
        """Saves all at once or not at all."""
        ...


class Forgetful:
    """Keeps nothing: a run without a folder."""

    def load(self, name: str) -> dict[str, Tensor] | None:  # noqa: ARG002
        """Returns None."""
        return None

    def save(self, name: str, tensors: dict[str, Tensor]) -> None:
        """Does nothing."""


def train(
    parameters: Parameters,
    data: Data[B],
    loss_of: Callable[[Mapping[str, Tensor], B, torch.Generator], Tensor],
    schedule: Schedule,
    key: tuple[object, ...],
    *,
    mask: Tensor | None = None,
    keeper: Keeper | None = None,
    report: Callable[[int, float], None] | None = None,
    most_steps: int | None = None,
    epoch_end: Callable[[int], Tensor | None] | None = None,
) -> None:
    """Trains weights in place.

    Args:
        parameters: what is trained.
        data: training samples.
        loss_of: mean loss of a batch; its generator is the epoch's own.
        schedule: how long and how fast.
        key: what seeds this training and names it for the keeper.
        mask: (total,) of 0 and 1; masked weights stay.
        keeper: gets the state after every epoch, and gives it back to a resumed run.
        report: is told the epoch, from 1, and its mean loss.
        most_steps: ends the training early.
        epoch_end: called after an epoch, from 1; may return a new mask.

    Raises:
        TrainingDivergedError: the loss stopped being finite.
    """
    keeper = keeper or Forgetful()
    name = "-".join(map(str, key[1:])) or "training"
    adam = Adam(parameters, schedule.decay)
    per_epoch = math.ceil(len(data) / schedule.batch)
    steps = schedule.epochs * per_epoch
    if most_steps is not None:
        steps = min(steps, most_steps)
    saved = keeper.load(name)
    first = 0
    if saved is not None:
        with torch.no_grad():
            parameters.vector.copy_(saved["vector"])
        adam.mean.copy_(saved["mean"])
        adam.square.copy_(saved["square"])
        first, adam.steps = saved["place"].tolist()
        mask = saved.get("mask", mask)
    for epoch in range(first, schedule.epochs):
        if adam.steps >= steps:
            break
        generator = seeds.generator(*key, epoch)
        total, count = torch.zeros(()), 0
        for rows in _batches(len(data), schedule, generator):
            if adam.steps >= steps:
                break
            rate = schedule.rate_at(adam.steps, steps)
            loss = loss_of(parameters.leaves, data.batch(rows, generator), generator)
            adam.minimise(loss, rate, mask)
            total += loss.detach()
            count += 1
        mean_loss = float(total) / max(1, count)
        if not math.isfinite(mean_loss):
            raise TrainingDivergedError(
                f"the loss of {name} is {mean_loss} in epoch {epoch + 1}; a smaller rate than "
                f"{schedule.rate} may help"
            )
        if epoch_end is not None and (changed := epoch_end(epoch + 1)) is not None:
            mask = changed
            adam.mean.mul_(mask)  # or momentum would move what is masked from now on
        place = torch.tensor([epoch + 1, adam.steps])
        state = {
            "vector": parameters.vector.detach(),
            "mean": adam.mean,
            "square": adam.square,
            "place": place,
        }
        keeper.save(name, state if mask is None else state | {"mask": mask})
        if report is not None:
            report(epoch + 1, mean_loss)


def _batches(size: int, schedule: Schedule, generator: torch.Generator) -> tuple[Tensor, ...]:
    if schedule.shuffled:
        return torch.split(torch.randperm(size, generator=generator), schedule.batch)
    return torch.split(torch.arange(size), schedule.batch)


def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Returns the mean cross-entropy, a scalar."""
    return functional.cross_entropy(logits, targets)


class Labelled(Protocol):
    """A batch that knows its labels."""

    @property
    def targets(self) -> Tensor:
        """Labels (batch,)."""
        ...


L = TypeVar("L", bound=Labelled)


BANDWIDTH = 0.5  # of the margins' standard deviation


@torch.no_grad()
def smoothed_accuracy(logits_of: Callable[[L], Tensor], data: Data[L], chunk: int = 2000) -> float:
    """Returns accuracy as a kernel estimate: the chance that a margin, blurred, is above zero.

    A sample's margin is its label's logit less the largest other one; accuracy counts margins above
    zero. Blurred by a normal distribution, a sample near zero counts as the part that is above: two
    networks judged by the same samples then differ by far less chance than by counts.
    """
    parts = []
    for logits, targets in _answers(logits_of, data, chunk):
        places = targets[:, None]
        others = logits.scatter(1, places, -math.inf).amax(1)
        parts.append(logits.gather(1, places).squeeze(1) - others)
    margins = torch.cat(parts)
    width = BANDWIDTH * float(margins.std()) + 1e-12
    return float(torch.special.ndtr(margins / width).mean())


@torch.no_grad()
def accuracy(logits_of: Callable[[L], Tensor], data: Data[L], chunk: int = 2000) -> float:
    """Returns the share of samples whose largest logit is their label's."""
    answers = _answers(logits_of, data, chunk)
    return sum(int((logits.argmax(1) == targets).sum()) for logits, targets in answers) / len(data)


def _answers(
    logits_of: Callable[[L], Tensor], data: Data[L], chunk: int
) -> Iterator[tuple[Tensor, Tensor]]:
    for rows in torch.split(torch.arange(len(data)), chunk):
        batch = data.batch(rows)
        yield logits_of(batch), batch.targets
