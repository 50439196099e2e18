"""Avalanche's own progressive networks and PackNet on our streams; run by a Python that has it.

    python peers.py NAME STREAM SEED        prints the outcome as a JSON line

Tasks, epochs, batches, Adam's rate at every step and mirroring are those of all other methods; the
networks are Avalanche's. Its PackNet wraps a LeNet of the trunk's layers, one head of which every
task owns a share. Its PNN has dense layers only, so that columns of 3072-200-200 read pixels.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import time

import numpy as np
import torch
from avalanche_on_cpu import avalanche
from torch import nn

from bocl.baselines.separate import size
from bocl.comparing import frame_of
from bocl.comparison import Outcome, plain_matrix
from bocl.streams.registry import make_stream

benchmarks = avalanche("benchmarks")
models = avalanche("models")
supervised = avalanche("training.supervised")
plugin = avalanche("core").SupervisedPlugin
PNN_UNITS = 200
LABELS = {"PNN": "Avalanche's PNN, dense columns", "PackNet": "Avalanche's PackNet"}


class Frame(plugin):
    """Gives every step the rate, and every image the chance of a mirror, that all methods have."""

    def __init__(self, schedule, steps, *, flips):
        super().__init__()
        self._schedule, self._steps, self._flips, self._step = schedule, steps, flips, 0

    def before_training_exp(self, *_, **__):
        """Starts a task."""
        self._step = 0

    def before_forward(self, strategy, **_):
        """Mirrors half of a batch and sets the rate."""
        if self._flips:
            images = strategy.mbatch[0]
            mirrored = (torch.rand(len(images)) < 0.5).view(-1, 1, 1, 1)
            strategy.mbatch[0] = torch.where(mirrored, images.flip(-1), images)
        rate = self._schedule.rate_at(self._step, self._steps)
        strategy.optimizer.param_groups[0]["lr"] = rate
        self._step += 1


def lenet(base, classes):
    """Returns the trunk's layers as a torch module."""
    first, second, units = base
    return nn.Sequential(
        nn.Conv2d(3, first, 5), nn.MaxPool2d(2), nn.ReLU(),
        nn.Conv2d(first, second, 5), nn.MaxPool2d(2), nn.ReLU(),
        nn.Flatten(), nn.Linear(25 * second, units), nn.ReLU(), nn.Linear(units, classes),
    )  # fmt: skip


def strategy_of(name, frame, tasks):
    """Returns a new strategy of Avalanche."""
    schedule = frame.schedule
    steps = schedule.epochs * -(-len(tasks[0].train) // schedule.batch)
    common = {
        "train_mb_size": schedule.batch,
        "train_epochs": schedule.epochs,
        "evaluator": None,
        "plugins": [Frame(schedule, steps, flips=frame.settings.flips)],
    }
    if name == "PNN":
        model = models.PNN(2, tasks[0].train.inputs[0].numel(), PNN_UNITS)
        optimizer = torch.optim.Adam(model.parameters(), schedule.rate)
        return supervised.PNNStrategy(model=model, optimizer=optimizer, **common)
    model = avalanche("models.packnet").PackNetModel(lenet(frame.trunk.base, tasks[0].classes))
    packed = avalanche("models.packnet").PackNetPlugin(
        max(1, schedule.epochs // 3), [1 - 1 / (len(tasks) - task) for task in range(len(tasks))]
    )
    common["plugins"].append(packed)
    optimizer = torch.optim.Adam(model.parameters(), schedule.rate)
    return supervised.Naive(model=model, optimizer=optimizer, **common)


def accuracy(model, samples, task):
    """Returns the share of right labels of a task's samples."""
    right = 0
    model.eval()
    with torch.no_grad():
        for rows in torch.split(torch.arange(len(samples)), 500):
            part = samples[rows]
            logits = model(part.inputs, torch.full((len(part),), task))
            right += int((logits.argmax(1) == part.targets).sum())
    return right / len(samples)


def stored(model):
    """Returns the numbers that a model keeps: weights, and a byte each for PackNet's owners."""
    owners = sum(b.numel() for n, b in model.named_buffers() if n.endswith("task_index"))
    return sum(weight.numel() for weight in model.parameters()) + -(-owners // 4)


def measure(name, stream, seed):
    """Returns what one of Avalanche's methods makes of a stream."""
    torch.manual_seed(seed)
    tasks = list(make_stream(stream, seed=seed))
    frame = frame_of(stream, tasks, seed, 1.0)
    pairs = [(task.train.inputs, task.train.targets) for task in tasks]
    made = benchmarks.tensors_benchmark(
        train_tensors=pairs, test_tensors=pairs[:1], task_labels=list(range(len(tasks)))
    )
    strategy = strategy_of(name, frame, tasks)
    matrix = np.full((len(tasks), len(tasks)), np.nan)
    spent = 0.0
    for index, experience in enumerate(made.train_stream):
        began = time.process_time()
        strategy.train(experience)
        spent += time.process_time() - began
        for seen in range(index + 1):
            matrix[index, seen] = accuracy(strategy.model, tasks[seen].test, seen)
        print(f"  {name} {index + 1}: {100 * matrix[index, index]:.2f} %", file=sys.stderr)
    base = size(frame.trunk, frame.trunk.base, tasks[0].classes)
    return Outcome(
        stream,
        LABELS[name],
        seed,
        plain_matrix(matrix),
        stored(strategy.model),
        base,
        spent,
        {"epochs": frame.settings.epochs},
    )


if __name__ == "__main__":
    torch.set_num_threads(1)
    print(json.dumps(dataclasses.asdict(measure(sys.argv[1], sys.argv[2], int(sys.argv[3])))))
