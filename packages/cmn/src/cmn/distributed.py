"""Distributed: one training on several processes, each with a share of every batch.

Started by torchrun, every process draws the same batches from the same seed, takes the rows of its
rank, and adds its gradients to the others': the steps are those of one process but for rounding.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import torch
import torch.distributed as dist

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import Tensor


def join() -> int:
    """Joins the group that torchrun announces in the environment, if any; returns this rank.

    Processes talk by gloo. Outside torchrun this does nothing and the rank is 0.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1 and not dist.is_initialized():
        dist.init_process_group("gloo")
    return rank()


def leave() -> None:
    """Leaves the group, if this process is in one."""
    if _grouped():
        dist.destroy_process_group()


def rank() -> int:
    """Returns this process's number, from 0."""
    return dist.get_rank() if _grouped() else 0


def processes() -> int:
    """Returns the number of processes."""
    return dist.get_world_size() if _grouped() else 1


def share(size: int) -> slice:
    """Returns the rows of a batch of `size` that this process works on; every row is someone's."""
    return slice(rank(), size, processes())


def add_gradients(weights: Iterable[Tensor]) -> None:
    """Adds up each weight's gradient over all processes, in place.

    A weight must have a gradient in all processes or in none.
    """
    if processes() == 1:
        return
    gradients = [weight.grad for weight in weights if weight.grad is not None]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    dist.all_reduce(flat)
    for gradient, total in zip(
        gradients, torch.split(flat, [gradient.numel() for gradient in gradients]), strict=True
    ):
        gradient.copy_(total.view_as(gradient))


def add_rows(rows: Tensor, gradients: Tensor) -> tuple[Tensor, Tensor]:
    """Returns the distinct rows that any process looked up, (n,), and their summed gradients.

    Args:
        rows: int64, distinct, those of this process.
        gradients: (rows, d).
    """
    if processes() == 1:
        return rows, gradients
    parts: list[tuple[Tensor, Tensor]] = [(rows, gradients)] * processes()
    dist.all_gather_object(parts, (rows, gradients))
    union, inverse = torch.unique(torch.cat([rows for rows, _ in parts]), return_inverse=True)
    summed = gradients.new_zeros(union.numel(), gradients.shape[1])
    return union, summed.index_add_(0, inverse, torch.cat([grads for _, grads in parts]))


def total(value: float) -> float:
    """Returns the sum of a number over all processes."""
    if processes() == 1:
        return value
    summed = torch.tensor(value, dtype=torch.float64)
    dist.all_reduce(summed)
    return float(summed)


def _grouped() -> bool:
    return dist.is_available() and dist.is_initialized()
