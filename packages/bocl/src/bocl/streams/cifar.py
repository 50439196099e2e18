"""CIFAR-100, cut into tasks of ten classes or of the twenty superclasses."""

from __future__ import annotations

from functools import cache, partial

import numpy as np
import torch

from bocl.streams.readers import read_cifar
from bocl.streams.samples import Samples, Stream, Task
from bocl.streams.sources import cifar_file

MEAN = (0.50707516, 0.48654887, 0.44091784)
DEVIATION = (0.26733429, 0.25643846, 0.27615047)
CLASS_ORDER_SEED = 1993  # the field's usual order


@cache
def load(part: str) -> tuple[Samples, torch.Tensor]:
    """Returns `train` (50 000) or `test` (10 000) as (n, 3, 32, 32), and coarse labels (n,)."""
    content = read_cifar(cifar_file(part))
    images = torch.from_numpy(np.ascontiguousarray(content[b"data"])).view(-1, 3, 32, 32)
    mean, deviation = (torch.tensor(values).view(1, 3, 1, 1) for values in (MEAN, DEVIATION))
    inputs = images.float().div_(255).sub_(mean).div_(deviation)
    fine = torch.tensor(content[b"fine_labels"])
    return Samples(inputs, fine), torch.tensor(content[b"coarse_labels"])


def _classes(name: str, fine: list[int]) -> Task:
    place = torch.full((100,), -1)
    place[fine] = torch.arange(len(fine))
    parts = []
    for part in ("train", "test"):
        whole, _ = load(part)
        labels = place[whole.targets]
        chosen = labels >= 0
        parts.append(Samples(whole.inputs[chosen], labels[chosen]))
    return Task(name, parts[0], parts[1], len(fine))


def split(tasks: int, seed: int) -> Stream:  # noqa: ARG001  the order is the field's
    """Returns tasks of 10 classes each, at most 10, in the usual class order."""
    order = np.random.RandomState(CLASS_ORDER_SEED).permutation(100)
    makers = []
    for index in range(tasks):
        fine = order[10 * index : 10 * index + 10].tolist()
        makers.append(partial(_classes, f"classes {10 * index}-{10 * index + 9}", fine))
    return Stream("split-cifar100", makers)


def _superclass(coarse: int) -> Task:
    whole, superclass = load("train")
    fine = torch.unique(whole.targets[superclass == coarse]).tolist()
    return _classes(f"superclass {coarse}", fine)


def superclasses(tasks: int, seed: int) -> Stream:  # noqa: ARG001  superclasses go in order
    """Returns one task of 5 classes per superclass, at most 20."""
    makers = [partial(_superclass, coarse) for coarse in range(tasks)]
    return Stream("superclass-cifar100", makers)
