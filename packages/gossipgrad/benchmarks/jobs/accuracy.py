"""Trains one network by several rules, each from the same start with the same shards and batches.

The task: {"data", "set": "mnist" or "cifar", "rules", "seeds", "samples", "tested", "epochs",
"batch", "lr"}. For each seed rank 0 prints {"seed", "accuracy": {rule: % right}} of the mean model
on the test set.
"""

import json
import sys
import time
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "examples"))
from datasets import cifar100, mnist, normalise, scale_digits
from mpi4py import MPI
from networks import cifar_resnet, lenet

from gossipgrad import GossipDataParallel
from gossipgrad.baselines import wrap

WORLD = MPI.COMM_WORLD.Dup()


def main() -> None:
    """Runs every seed of every rule."""
    task = json.loads(sys.argv[1])
    torch.set_num_threads(1)
    images, labels, test_images, test_labels = load(task)
    for seed in task["seeds"]:
        told = {}
        for rule in task["rules"]:
            model = train(rule, seed, task, images, labels)
            told[rule] = evaluate(model, test_images, test_labels)
        if WORLD.rank == 0:
            print(json.dumps({"seed": seed, "accuracy": told}), flush=True)
    quiet_barrier()


def load(task: dict) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Returns the training and test images and labels that the task asks for."""
    folder = Path(task["data"])
    if task["set"] == "mnist":
        parts = [mnist(folder, part) for part in ("train", "test")]
        parts = [(scale_digits(images), labels) for images, labels in parts]
    else:
        parts = [cifar100(folder, part, "coarse") for part in ("train", "test")]
        parts = [(normalise(images), labels) for images, labels in parts]
    (images, labels), (test_images, test_labels) = parts
    samples, tested = task["samples"], task["tested"]
    return images[:samples], labels[:samples], test_images[:tested], test_labels[:tested]


def network(task: dict) -> nn.Module:
    """Returns LeNet for MNIST, a residual network of 8 layers for CIFAR."""
    return cifar_resnet(20, depth=8, width=8) if task["set"] == "cifar" else lenet()


def train(rule: str, seed: int, task: dict, images: Tensor, labels: Tensor) -> nn.Module:
    """Returns the mean model after training by one rule."""
    torch.manual_seed(seed)
    inner = network(task)
    if rule.startswith("gossip"):
        mode, wire = rule.split()[1:]
        model = GossipDataParallel(inner, mode=mode, wire=wire, seed=seed)
    else:
        model = wrap(rule, inner)
    # The rank's batch shrinks with p, so that the global batch and all else stay equal.
    batch = task["batch"] // WORLD.size
    optimizer = torch.optim.SGD(model.parameters(), lr=task["lr"], momentum=0.9, weight_decay=5e-4)
    per_epoch = len(images) // (batch * WORLD.size)
    steps = task["epochs"] * per_epoch
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, task["lr"], total_steps=steps)
    order = torch.Generator().manual_seed(seed)
    model.train()
    for _ in range(task["epochs"]):
        shuffled = torch.randperm(len(images), generator=order)[WORLD.rank :: WORLD.size]
        for step in range(per_epoch):
            chosen = shuffled[step * batch : (step + 1) * batch]
            cross_entropy(model(images[chosen]), labels[chosen]).backward()
            optimizer.step()
            optimizer.zero_grad()
            schedule.step()
    model.consensus()
    if hasattr(model, "close"):
        model.close()
    return inner


@torch.no_grad()
def evaluate(model: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Returns the accuracy in per cent, each rank testing its part."""
    model.eval()
    mine = slice(WORLD.rank, None, WORLD.size)
    right = 0
    for some, truth in zip(images[mine].split(500), labels[mine].split(500), strict=True):
        right += int((model(some).argmax(1) == truth).sum())
    quiet_barrier()  # so that none spins in the reduction while another still tests
    return 100 * WORLD.allreduce(right) / len(images)


def quiet_barrier() -> None:
    """Waits for all without taking a core from those that still work."""
    waiting = WORLD.Ibarrier()
    while not waiting.Test():
        time.sleep(1e-3)


if __name__ == "__main__":
    main()
