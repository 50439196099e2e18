"""Five unlike data sets in a row, all as grey images of 28 x 28.

The sequence of five sets in the journal version of the paper needs sets that cannot be had here;
this one stands in for it: MNIST, Fashion-MNIST, CIFAR-100's twenty superclasses in grey, MNIST
turned by 90 degrees, and MNIST with shuffled pixels.
"""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING

import torch

from bocl.streams import cifar, mnist
from bocl.streams.readers import read_idx
from bocl.streams.samples import Samples, Stream, Task
from bocl.streams.sources import fashion_file

if TYPE_CHECKING:
    from collections.abc import Callable

FASHION_MEAN, FASHION_DEVIATION = 0.2860, 0.3530


@cache
def load_fashion(part: str) -> Samples:
    """Returns Fashion-MNIST's `train` or `test`: (n, 1, 28, 28), standardised."""
    prefix = mnist.PARTS[part]
    images = read_idx(fashion_file(f"{prefix}-images-idx3-ubyte"))
    labels = read_idx(fashion_file(f"{prefix}-labels-idx1-ubyte"))
    inputs = torch.from_numpy(images.copy()).float().div_(255)
    inputs = inputs.sub_(FASHION_MEAN).div_(FASHION_DEVIATION)
    return Samples(inputs.unsqueeze(1), torch.from_numpy(labels.copy()).long())


def _fashion() -> Task:
    return Task("Fashion-MNIST", load_fashion("train"), load_fashion("test"), 10)


def _grey_superclasses() -> Task:
    parts = []
    for part in ("train", "test"):
        colour, coarse = cifar.load(part)
        grey = colour.inputs.mean(1, keepdim=True)[:, :, 2:30, 2:30].contiguous()
        parts.append(Samples(grey, coarse))
    return Task("CIFAR-100, 20 superclasses, grey", parts[0], parts[1], 20)


def mix(tasks: int, seed: int) -> Stream:
    """Returns the first of the five tasks; the seed draws the shuffle of the last."""
    digits = mnist.permuted(2, seed)
    makers: list[Callable[[], Task]] = [
        partial(digits.__getitem__, 0),
        _fashion,
        _grey_superclasses,
        partial(mnist.rotated(2, seed).__getitem__, 1),
        partial(digits.__getitem__, 1),
    ]
    return Stream("five-mix", makers[:tasks])
