"""What all baselines share: a plain network, its data, and the interface a benchmark runs."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import torch

from bocl import seeds
from bocl.blocks import block_shapes, initialise, run_block
from bocl.errors import NotFittedError, UnknownTaskError
from bocl.growth import Growth
from bocl.streams.samples import Samples, as_samples
from bocl.trunks.layout import pixelwise, select_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from bocl.training import Schedule
    from bocl.trunks.architectures import Trunk

CHUNK = 2000  # samples at a time in inference


class Baseline(ABC):
    """A continual learner without growth by search.

    Args:
        trunk: the architecture; its `base` widths are the network's.
        schedule: of every training.
        seed: of all that is drawn.
        flips: whether training draws each image mirrored at even odds.

    Attributes:
        cpu_s: CPU seconds spent in `fit_task` so far.
    """

    name: ClassVar[str]

    def __init__(
        self, trunk: Trunk, schedule: Schedule, *, seed: int = 0, flips: bool = False
    ) -> None:
        self.trunk = trunk
        self.schedule = schedule
        self.seed = seed
        self.flips = flips
        self.classes: list[int] = []
        self.cpu_s = 0.0

    def fit_task(self, train: Any) -> None:
        """Learns one more task.

        Args:
            train: anything that `as_samples` takes; labels run from 0 within the task.

        Raises:
            DataError: samples that no task can be learned from.
        """
        samples = as_samples(train)
        self.trunk.enter(samples.inputs[:0])
        started = time.process_time()
        self.classes.append(int(samples.targets.max()) + 1)
        self._learn(samples, len(self.classes) - 1)
        self.cpu_s += time.process_time() - started

    def predict(self, inputs: Tensor, task: int) -> NDArray[np.int64]:
        """Returns labels (batch,) within a task for inputs (batch, *input_shape).

        Raises:
            NotFittedError: no task is learned yet.
            UnknownTaskError: that task is not learned.
        """
        if not self.classes:
            raise NotFittedError(f"{self.name} has learned no task yet; call fit_task first")
        if not 0 <= task < len(self.classes):
            raise UnknownTaskError(
                f"task {task} is unknown; learned are 0 to {len(self.classes) - 1}"
            )
        with torch.no_grad():
            parts = [self._logits(part, task).argmax(1) for part in torch.split(inputs, CHUNK)]
        return torch.cat(parts).numpy()

    @property
    @abstractmethod
    def parameters(self) -> int:
        """Numbers that must be stored to answer for all tasks learned so far."""

    @abstractmethod
    def _learn(self, samples: Samples, task: int) -> None: ...

    @abstractmethod
    def _logits(self, inputs: Tensor, task: int) -> Tensor:
        """Returns (batch, classes of the task)."""


class PlainNetwork:
    """A trunk and a head without blocks, as a function of its weights.

    Args:
        widths: units per level; the trunk's base widths if not given.
    """

    def __init__(self, trunk: Trunk, widths: tuple[int, ...] | None = None) -> None:
        self.trunk = trunk
        self.growth = Growth(widths or trunk.base, reuse=False)

    def shapes(self, classes: int) -> dict[str, tuple[int, ...]]:
        """Returns the shapes of all weights."""
        return block_shapes(
            self.trunk,
            self.growth,
            classes=classes,
            inputs=self.trunk.input_units,
            units_read=[[] for _ in self.trunk.levels],
            gate_kind="none",
        )

    def initial(self, classes: int, *key: object) -> dict[str, Tensor]:
        """Returns fresh weights, drawn by a key."""
        return initialise(self.shapes(classes), seeds.generator(*key))

    def logits(self, weights: Mapping[str, Tensor], entry: Tensor) -> Tensor:
        """Returns (batch, classes) for inputs as the trunk takes them."""
        return run_block(
            self.trunk,
            self.growth,
            weights,
            entry,
            old=lambda _level: None,
            units_read=lambda _level: (),
        )


@dataclass(frozen=True)
class PlainBatch:
    """Some samples.

    Attributes:
        entry: (batch, inputs...) as the trunk takes them.
        targets: (batch,).
        teacher: (batch, classes) logits to stay close to, None where there is no teacher.
    """

    entry: Tensor
    targets: Tensor
    teacher: Tensor | None = None


class PlainData:
    """Samples as the trunk takes them.

    Args:
        teacher: computes (n, classes) for (n, inputs...), once for every image and its mirror.
    """

    def __init__(
        self,
        trunk: Trunk,
        samples: Samples,
        *,
        flips: bool = False,
        teacher: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        images = samples.inputs
        if flips:
            images = torch.cat([images, images.flip(-1)])
        self._entry = pixelwise(trunk.enter(images))
        self._targets = samples.targets
        self._flips = flips
        self._teacher: Tensor | None = None
        if teacher is not None:
            with torch.no_grad():
                self._teacher = torch.cat(
                    [teacher(part) for part in torch.split(self._entry, CHUNK)]
                )

    def __len__(self) -> int:
        return len(self._targets)

    def batch(self, rows: Tensor, coin: torch.Generator | None = None) -> PlainBatch:
        """Returns some rows; with a coin, each mirrored at even odds if flips are on."""
        places = rows
        if self._flips and coin is not None:
            places = rows + len(self) * torch.randint(0, 2, rows.shape, generator=coin)
        teacher = None if self._teacher is None else self._teacher.index_select(0, places)
        return PlainBatch(
            select_rows(self._entry, places), self._targets.index_select(0, rows), teacher
        )
