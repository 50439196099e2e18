"""Permuted digits: scikit-learn's 1797 handwritten digits of 8 x 8 pixels, nothing to download."""

from __future__ import annotations

from functools import cache, partial

import torch
from sklearn.datasets import load_digits

from bocl.streams.samples import Samples, Stream, Task, split_validation

TEST_FRACTION = 0.25


@cache
def _halves() -> tuple[Samples, Samples]:
    images, labels = load_digits(return_X_y=True)
    inputs = torch.from_numpy(images).float().div_(16).sub_(0.305).div_(0.376)
    whole = Samples(inputs.view(-1, 1, 8, 8), torch.from_numpy(labels).long())
    return split_validation(whole, TEST_FRACTION, seed=0)


def _task(index: int, seed: int) -> Task:
    train, test = _halves()
    order = torch.arange(64)
    if index > 0:
        order = torch.randperm(64, generator=torch.Generator().manual_seed(seed * 1009 + index))
    parts = [
        Samples(part.inputs.flatten(1)[:, order].view_as(part.inputs), part.targets)
        for part in (train, test)
    ]
    return Task("identity" if index == 0 else f"permutation {index}", parts[0], parts[1], 10)


def permuted(tasks: int, seed: int) -> Stream:
    """Returns tasks that each shuffle the 64 pixels in their own way; the first leaves them."""
    return Stream("permuted-digits", [partial(_task, index, seed) for index in range(tasks)])
