"""Digits by gossip: trained on several ranks and measured on validation, or read on the test set.

gossipgrad run -n 2 --launcher tcp digits.py train --model FILE --metrics-out FILE ...
python digits.py test --model FILE                           prints the accuracy on the test set
"""

import argparse
import json
import statistics
import time
from itertools import chain, repeat
from pathlib import Path

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from gossipgrad import GossipDataParallel, GossipSampler

STEPS = 150


def digits() -> dict[str, tuple[Tensor, Tensor]]:
    """Returns images (n, 64) and labels (n,): 997 to train on, 350 held out, 450 to test."""
    images, labels = load_digits(return_X_y=True)
    rows = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
    inputs, targets = torch.from_numpy(images).float()[rows] / 16, torch.from_numpy(labels)[rows]
    cut = {"test": slice(0, 450), "validation": slice(450, 800), "train": slice(800, None)}
    return {name: (inputs[part], targets[part]) for name, part in cut.items()}


def network() -> nn.Module:
    """Returns a perceptron of two layers, the same on every rank."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 10)
    )


@torch.no_grad()
def accuracy(model: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Returns the share of images whose highest score is the label's."""
    return float((model(images).argmax(1) == labels).double().mean())


def train(given: argparse.Namespace) -> None:
    """Trains on this rank's half; rank 0 keeps the model and says how good and how quick it was."""
    parts = digits()
    images, labels = parts["train"]
    model = GossipDataParallel(network(), mode=given.mode, wire=given.wire)
    optimizer = torch.optim.SGD(model.parameters(), given.rate, momentum=0.9)
    passes = map(list, repeat(GossipSampler(labels)))  # the halves change hands at each
    batches = chain.from_iterable(torch.tensor(rows).split(given.batch) for rows in passes)
    steps_s = []
    for rows, _ in zip(batches, range(STEPS), strict=False):
        start = time.perf_counter()
        optimizer.zero_grad()
        cross_entropy(model(images[rows]), labels[rows]).backward()
        optimizer.step()
        steps_s.append(time.perf_counter() - start)
    model.eval()
    reached = accuracy(model, *parts["validation"])
    if model.rank == 0:
        torch.save(model.module.state_dict(), given.model)
        line = {"accuracy": reached, "step_ms": 1000 * statistics.median(steps_s)}
        with given.metrics_out.open("a") as file:
            file.write(json.dumps(line) + "\n")
    model.close()


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("do", choices=["train", "test"])
    parser.add_argument("--model", type=Path, required=True, help="the file of the weights")
    parser.add_argument("--rate", type=float, default=0.1)
    parser.add_argument("--batch", type=int, default=64, help="samples a step and rank")
    parser.add_argument("--mode", default="overlap")
    parser.add_argument("--wire", default="bf16")
    parser.add_argument("--metrics-out", type=Path, help="a file to append a line of JSON to")
    given = parser.parse_args()
    torch.set_num_threads(1)
    if given.do == "test":
        model = network()
        model.load_state_dict(torch.load(given.model))
        print(json.dumps({"accuracy": accuracy(model, *digits()["test"])}))
        return
    train(given)


if __name__ == "__main__":
    main()
