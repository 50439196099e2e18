"""Samples of one task as two tensors, taken from whatever users have."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from bocl.errors import DataError


@dataclass(frozen=True)
class Samples:
    """Inputs with their labels.

    Attributes:
        inputs: (n, *shape), float32.
        targets: (n,), int64, from 0.
    """

    inputs: Tensor
    targets: Tensor

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, rows: Tensor) -> Samples:
        return Samples(self.inputs[rows], self.targets[rows])

    def joined(self, other: Samples) -> Samples:
        """Returns these samples and others after them."""
        inputs = torch.cat([self.inputs, other.inputs])
        return Samples(inputs, torch.cat([self.targets, other.targets]))


@dataclass(frozen=True)
class Task:
    """One task of a stream.

    Attributes:
        name: shown in reports.
        classes: number of labels, which run from 0 to `classes - 1` within the task.
    """

    name: str
    train: Samples
    test: Samples
    classes: int


class Stream(Sequence[Task]):
    """Tasks in order; each is made when it is asked for, so that one at a time is in memory."""

    def __init__(self, name: str, makers: Sequence[Callable[[], Task]]) -> None:
        if not makers:
            raise DataError(f"stream {name!r} has no task; it needs at least one")
        self.name = name
        self._makers = list(makers)

    def __len__(self) -> int:
        return len(self._makers)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return Stream(self.name, self._makers[index])
        return self._makers[index]()

    def __iter__(self) -> Iterator[Task]:
        return (maker() for maker in self._makers)

    def held_out(self, fraction: float, seed: int) -> Stream:
        """Returns the stream without its test samples: a share of training stands in their place.

        Settings are chosen by such a stream, so that the test samples stay unseen.

        Args:
            fraction: of each task's training samples, in (0, 1), each class in equal share.
            seed: of the draw.
        """

        def maker(index: int) -> Callable[[], Task]:
            def make() -> Task:
                task = self._makers[index]()
                kept, held = split_validation(task.train, fraction, seed)
                return Task(task.name, kept, held, task.classes)

            return make

        return Stream(self.name, [maker(index) for index in range(len(self))])

    @classmethod
    def of(cls, datasets: Sequence[tuple[Any, Any]], name: str = "stream") -> Stream:
        """Returns a stream of pairs (train, test), each anything that `as_samples` takes."""

        def maker(index: int) -> Callable[[], Task]:
            def make() -> Task:
                train, test = (as_samples(part) for part in datasets[index])
                classes = int(train.targets.max()) + 1
                check_labels(test, classes)
                return Task(f"task {index}", train, test, classes)

            return make

        return cls(name, [maker(index) for index in range(len(datasets))])


def as_samples(data: Any) -> Samples:
    """Returns `Samples` of a data set, a pair (inputs, labels) of arrays or tensors, or `Samples`.

    Raises:
        DataError: no sample, inputs that are not finite, labels that are not whole numbers from 0,
            or as many labels as there are inputs is not given.
    """
    if isinstance(data, Samples):
        inputs, targets = data.inputs, data.targets
    elif isinstance(data, Dataset):
        inputs, targets = _stack(data)
    elif isinstance(data, (tuple, list)) and len(data) == 2:
        inputs, targets = (torch.as_tensor(np.asarray(part)) for part in data)
    else:
        raise DataError(
            f"data is a {type(data).__name__}; allowed are a torch Dataset, a pair (inputs, "
            "labels) of arrays, or Samples"
        )
    if len(inputs) != len(targets) or targets.ndim != 1:
        raise DataError(
            f"labels have shape {tuple(targets.shape)}; {len(inputs)} inputs need ({len(inputs)},)"
        )
    if len(targets) == 0:
        raise DataError("the task is empty: it has 0 samples, at least 2 are needed")
    if targets.is_floating_point() and not torch.equal(targets, targets.round()):
        raise DataError("labels are not whole numbers; they run from 0 to classes - 1")
    targets = targets.to(torch.int64)
    if targets.min() < 0:
        raise DataError(f"label {int(targets.min())} is out of range; labels run from 0")
    inputs = inputs.to(torch.float32)
    if inputs.ndim < 2:
        raise DataError(
            f"inputs have shape {tuple(inputs.shape)}; they need (samples, features...)"
        )
    if inputs.numel() == 0:
        raise DataError(
            f"inputs have shape {tuple(inputs.shape)}; every sample needs at least one value"
        )
    if not torch.isfinite(torch.stack(torch.aminmax(inputs))).all():  # one pass, NaN included
        raise DataError("inputs hold values that are not finite")
    return Samples(inputs, targets)


def _stack(data: Dataset[Any]) -> tuple[Tensor, Tensor]:
    tensors = getattr(data, "tensors", None)  # a TensorDataset: no copy sample by sample
    if tensors is not None and len(tensors) == 2:
        return tensors[0], tensors[1]
    size = len(data)  # type: ignore[arg-type]  # a map-style data set has a length
    if size == 0:
        raise DataError("the task is empty: it has 0 samples, at least 2 are needed")
    pairs = [data[index] for index in range(size)]
    inputs = torch.stack([torch.as_tensor(pair[0]) for pair in pairs])
    return inputs, torch.tensor([int(pair[1]) for pair in pairs])


def classes_of(samples: Samples) -> int:
    """Returns how many classes a task has: its largest label + 1.

    Raises:
        DataError: all samples are of one class.
    """
    if len(torch.unique(samples.targets)) < 2:
        label = int(samples.targets[0])
        raise DataError(f"the task has one class only, label {label}; it needs at least two")
    return int(samples.targets.max()) + 1


def check_labels(samples: Samples, classes: int) -> None:
    """Raises DataError when a label is not below `classes`."""
    largest = int(samples.targets.max())
    if largest >= classes:
        raise DataError(
            f"label {largest} is out of range; this task's labels run from 0 to {classes - 1}"
        )


def split_validation(samples: Samples, fraction: float, seed: int) -> tuple[Samples, Samples]:
    """Returns (train, validation), each class in equal share, by a seeded shuffle.

    Raises:
        DataError: fewer than two samples of validation or of training would result, or a single
            class.
    """
    if not 0 < fraction < 1:
        raise DataError(f"validation fraction is {fraction}; it must lie between 0 and 1")
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(samples), generator=generator)
    held, kept = [], []
    for label in torch.unique(samples.targets):
        rows = order[samples.targets[order] == label]
        cut = round(len(rows) * fraction)
        held.append(rows[:cut])
        kept.append(rows[cut:])
    train, validation = torch.cat(kept).sort().values, torch.cat(held).sort().values
    if len(validation) < 2 or len(train) < 2:
        raise DataError(
            f"validation fraction {fraction} of {len(samples)} samples leaves {len(train)} for "
            f"training and {len(validation)} for validation; each needs at least 2"
        )
    return samples[train], samples[validation]
