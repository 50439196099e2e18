"""LeNet on MNIST by gossip, as `experiment.yml` tunes it: one process is one rank.

    gossipgrad run -n 4 train.py --data FOLDER

FOLDER holds MNIST's four idx files, or a folder `mnist` with them. Every rank trains on its own
share of the digits; 10,000 training digits that no rank has seen judge the agreed model. The test
digits are read with --final alone. Rank 0 appends a JSON line to the file $ORCHESTRATE_METRICS.
"""

import argparse
import gzip
import json
import os
import statistics
import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from gossipgrad import GossipDataLoader, GossipDataParallel, GossipError
from gossipgrad.transports import connect

HELD_OUT = 10_000


def parse() -> argparse.Namespace:
    """Returns the arguments; the defaults are gossipgrad's own and those of its MNIST example."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    data = os.environ.get("GOSSIPGRAD_DATA")
    parser.add_argument("--data", type=Path, default=data, required=data is None)
    parser.add_argument("--rate", type=float, default=0.1, help="highest learning rate")
    parser.add_argument("--batch", type=int, default=32, help="digits per rank and step")
    parser.add_argument("--topology", default="auto")
    parser.add_argument("--wire", default="bf16")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--digits", type=int, default=50_000, help="training digits in all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--final", action="store_true", help="judge by the test digits")
    return parser.parse_args()


def read(folder: Path, name: str) -> Tensor:
    """Returns the bytes of an idx file, zipped or not, in their shape."""
    home = folder / "mnist" if (folder / "mnist").is_dir() else folder
    path = home / name
    raw = (
        path.read_bytes() if path.exists() else gzip.decompress((home / f"{name}.gz").read_bytes())
    )
    shape = np.frombuffer(raw, ">i4", raw[3], offset=4)
    return torch.from_numpy(
        np.frombuffer(raw, np.uint8, offset=4 + 4 * raw[3]).reshape(shape).copy()
    )


def digits(folder: Path, part: str) -> tuple[Tensor, Tensor]:
    """Returns images (n, 1, 28, 28), bytes, and labels (n,) of part `train` or `t10k`."""
    images = read(folder, f"{part}-images-idx3-ubyte").unsqueeze(1)
    return images, read(folder, f"{part}-labels-idx1-ubyte").long()


def scale(images: Tensor) -> Tensor:
    """Returns MNIST's bytes as floats of mean 0 and spread 1."""
    return images.float().sub_(33.3).div_(78.6)


def lenet() -> nn.Module:
    """Returns LeNet-5 with ReLU and max pooling."""
    return nn.Sequential(
        *(nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()),
        *(nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10)),
    )


def train(model: nn.Module, batches: GossipDataLoader, rate: float, epochs: int) -> list[float]:
    """Trains, and returns the seconds of every step, its exchange included."""
    optimizer = torch.optim.SGD(model.parameters(), rate, momentum=0.9, weight_decay=5e-4)
    steps = epochs * len(batches)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps)
    taken = []
    for _ in range(epochs):
        for images, labels in batches:
            began = time.perf_counter()
            optimizer.zero_grad()
            cross_entropy(model(images), labels).backward()
            optimizer.step()
            schedule.step()
            taken.append(time.perf_counter() - began)
    return taken


def main() -> None:
    """Trains, judges the model that all ranks agree on, and reports."""
    given = parse()
    here = connect()
    images, labels = digits(given.data, "train")
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
    judged = (images[order[:HELD_OUT]], labels[order[:HELD_OUT]])
    if given.final:
        judged = digits(given.data, "t10k")
    share = min(given.digits, len(images) - HELD_OUT) // here.size
    mine = order[HELD_OUT:][here.rank : share * here.size : here.size]
    batches = GossipDataLoader(
        images[mine], labels[mine], given.batch, transform=scale, seed=given.seed
    )
    torch.manual_seed(given.seed)
    model = GossipDataParallel(lenet(), topology=given.topology, wire=given.wire, seed=given.seed)
    taken = train(model, batches, given.rate, given.epochs)
    model.eval()  # from here on all ranks hold the same model
    if here.rank == 0:
        with torch.no_grad():
            answers = torch.cat([model(scale(some)).argmax(1) for some in judged[0].split(500)])
        median = statistics.median(taken)
        found = {
            "accuracy": float((answers == judged[1]).double().mean()),
            "step_us": 1e6 * median / (given.batch * here.size),
            "step_ms": 1e3 * median,
        }
        print(json.dumps(found | {"ranks": here.size}), flush=True)
        if path := os.environ.get("ORCHESTRATE_METRICS"):
            with Path(path).open("a", encoding="utf-8") as file:
                file.write(json.dumps(found) + "\n")
    batches.finish()


if __name__ == "__main__":
    try:
        main()
    except GossipError as error:
        sys.exit(f"train: {error}")
