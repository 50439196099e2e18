"""Streams made of MNIST: permuted, rotated, the P/R mix, and split by digits."""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from bocl.streams.readers import read_idx
from bocl.streams.rotation import rotate
from bocl.streams.samples import Samples, Stream, Task
from bocl.streams.sources import mnist_file

if TYPE_CHECKING:
    from collections.abc import Callable

MEAN, DEVIATION = 0.1307, 0.3081
PARTS = {"train": "train", "test": "t10k"}


@cache
def load(part: str) -> Samples:
    """Returns MNIST's `train` (60 000) or `test` (10 000): (n, 1, 28, 28), standardised."""
    images = read_idx(mnist_file(f"{PARTS[part]}-images-idx3-ubyte"))
    labels = read_idx(mnist_file(f"{PARTS[part]}-labels-idx1-ubyte"))
    inputs = torch.from_numpy(images.copy()).float().div_(255).sub_(MEAN).div_(DEVIATION)
    return Samples(inputs.unsqueeze(1), torch.from_numpy(labels.copy()).long())


def _task(name: str, change: Callable[[Tensor], Tensor]) -> Task:
    parts = [Samples(change(load(part).inputs), load(part).targets) for part in PARTS]
    return Task(name, parts[0], parts[1], 10)


def _permute(order: Tensor, images: Tensor) -> Tensor:
    return images.flatten(1)[:, order].view_as(images)


def _permutation(index: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed * 1009 + index)
    return torch.randperm(28 * 28, generator=generator)


def permuted(tasks: int, seed: int) -> Stream:
    """Returns tasks that each shuffle the pixels in their own way; the first leaves them."""
    makers = [partial(_task, "identity", _same)]
    for index in range(1, tasks):
        change = partial(_permute, _permutation(index, seed))
        makers.append(partial(_task, f"permutation {index}", change))
    return Stream("permuted-mnist", makers)


def rotated(tasks: int, seed: int) -> Stream:  # noqa: ARG001  nothing in it is drawn
    """Returns tasks that turn every image by t·180°/tasks, t = 0, 1, ..."""
    makers = []
    for index in range(tasks):
        degrees = 180 * index / tasks
        makers.append(partial(_task, f"{degrees:g}°", partial(rotate, degrees=degrees)))
    return Stream("rotated-mnist", makers)


def mix(tasks: int, seed: int) -> Stream:
    """Returns P1, R1, P2, R2, ...: permutations and rotations (0 to 180°) in turn."""
    makers = []
    rotations = max(1, tasks // 2)
    for index in range(tasks):
        pair = index // 2
        if index % 2 == 0:
            change = partial(_permute, _permutation(pair + 1, seed))
            makers.append(partial(_task, f"P{pair + 1}", change))
        else:
            turn = partial(rotate, degrees=180 * pair / rotations)
            makers.append(partial(_task, f"R{pair + 1}", turn))
    return Stream("mnist-mix", makers)


def split(tasks: int, seed: int) -> Stream:  # noqa: ARG001  digits go in order
    """Returns tasks of 10 // tasks digits each, in order; labels start from 0 in each."""
    size = 10 // tasks
    makers = [partial(_digits, range(k * size, (k + 1) * size)) for k in range(tasks)]
    return Stream("split-mnist", makers)


def _digits(digits: range) -> Task:
    parts = []
    for part in PARTS:
        whole = load(part)
        chosen = whole[(whole.targets >= digits.start) & (whole.targets < digits.stop)]
        parts.append(Samples(chosen.inputs, chosen.targets - digits.start))
    name = f"digits {digits.start}-{digits.stop - 1}"
    return Task(name, parts[0], parts[1], len(digits))


def _same(images: Tensor) -> Tensor:
    return images
