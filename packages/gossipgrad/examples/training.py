"""What the examples share: options, the wrapped model, the loop over epochs, and what it prints."""

import argparse
import copy
import os
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from gossipgrad import GossipDataParallel, StepLog
from gossipgrad.baselines import BASELINES, wrap
from gossipgrad.transports import connect


class Batches(Protocol):
    """Images and labels, batch after batch."""

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]: ...
    def __len__(self) -> int: ...


def options(
    description: str, *, epochs: int, batch_size: int, rate: float
) -> argparse.ArgumentParser:
    """Returns a parser of what every example takes; the figures are the example's defaults."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        "--data",
        type=Path,
        default=os.environ.get("GOSSIPGRAD_DATA"),
        help="folder of the data; without it $GOSSIPGRAD_DATA",
    )
    parser.add_argument("--method", default="gossip", choices=["gossip", *BASELINES])
    parser.add_argument("--topology", default="auto")
    parser.add_argument("--mode", default="overlap")
    parser.add_argument("--wire", default="bf16")
    parser.add_argument("--epochs", type=int, default=epochs)
    parser.add_argument("--batch-size", type=int, default=batch_size, help="per rank")
    parser.add_argument("--rate", type=float, default=rate, help="highest learning rate")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--log", type=Path, help="folder for JSON lines, metrics and a trace")
    return parser


def train(
    network: nn.Module,
    batches: Batches,
    test: Callable[[], Batches],
    arguments: argparse.Namespace,
) -> float:
    """Trains on this rank's batches; rank 0 tests the agreed model after each epoch and prints.

    Args:
        network: The same on every rank.
        batches: Of this rank, equally many on every rank; iterated once an epoch.
        test: Returns the batches to test with.
        arguments: Of a parser made by `options`.

    Returns:
        The last accuracy on rank 0, 0 elsewhere.
    """
    rank = connect().rank
    compute_s = _compute_s(network, next(iter(batches)))
    model = _wrapped(network, arguments)
    log = StepLog(model, arguments.log) if isinstance(model, GossipDataParallel) else None
    optimizer = torch.optim.SGD(model.parameters(), arguments.rate, momentum=0.9, weight_decay=5e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, arguments.rate, total_steps=arguments.epochs * len(batches)
    )
    reached = 0.0
    for epoch in range(arguments.epochs):
        model.train()
        began = time.perf_counter()
        losses, steps_s = [], []
        for images, labels in batches:
            start = time.perf_counter()
            loss = cross_entropy(model(images), labels)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            schedule.step()
            steps_s.append(time.perf_counter() - start)
            losses.append(loss.item())
        seconds = time.perf_counter() - began
        model.consensus()
        model.eval()
        if rank == 0:
            reached = accuracy(model, test())
            print(
                f"epoch {epoch + 1}/{arguments.epochs}: accuracy {reached:.2%}, "
                f"loss {statistics.fmean(losses):.3f}, {seconds:.1f} s, "
                f"efficiency {min(1.0, compute_s / statistics.median(steps_s)):.1%}",
                flush=True,
            )
    if log is not None and isinstance(model, GossipDataParallel):
        model.close()
        log.close()
    return reached


def _wrapped(network: nn.Module, arguments: argparse.Namespace) -> nn.Module:
    if arguments.method != "gossip":
        return wrap(arguments.method, network)
    return GossipDataParallel(
        network, topology=arguments.topology, mode=arguments.mode, wire=arguments.wire,
        seed=arguments.seed,
    )  # fmt: skip


def _compute_s(network: nn.Module, sample: tuple[Tensor, Tensor], steps: int = 6) -> float:
    """Returns the median seconds of a step that sends nothing, on a copy of the network."""
    alone = copy.deepcopy(network)
    optimizer = torch.optim.SGD(alone.parameters(), 1e-6, momentum=0.9)
    images, labels = sample
    taken = []
    for _ in range(steps):
        start = time.perf_counter()
        cross_entropy(alone(images), labels).backward()
        optimizer.step()
        optimizer.zero_grad()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken[1:])


@torch.no_grad()
def accuracy(model: nn.Module, batches: Batches) -> float:
    """Returns the share of images whose highest score is the label's."""
    model.eval()
    right = seen = 0
    for images, labels in batches:
        right += int((model(images).argmax(1) == labels).sum())
        seen += len(labels)
    return right / seen
