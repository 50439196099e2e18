"""A LeNet on MNIST, trained by gossip: `gossipgrad run -n 4 examples/mnist.py --data FOLDER`.

FOLDER holds MNIST's four idx files, gzipped or not; $CMN_DATA/mnist does in this repository's
tests. Every rank keeps its own quarter of the data in memory, and samples travel round the ring.
"""

import argparse
import gzip
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from gossipgrad import GossipDataLoader, GossipDataParallel, StepLog


def read_idx(folder: Path, name: str) -> Tensor:
    """Returns one idx file as a uint8 tensor."""
    packed = folder / f"{name}.gz"
    raw = gzip.decompress(packed.read_bytes()) if packed.exists() else (folder / name).read_bytes()
    dimensions = raw[3]
    shape = np.frombuffer(raw, dtype=">i4", count=dimensions, offset=4)
    return torch.from_numpy(
        np.frombuffer(raw, np.uint8, offset=4 + 4 * dimensions).copy().reshape(shape)
    )


def lenet() -> nn.Module:
    """Returns a LeNet: two convolutions, two linear layers."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(800, 120), nn.ReLU(), nn.Linear(120, 10),
    )  # fmt: skip


def scale(images: Tensor) -> Tensor:
    """Bytes to floats: ``(batch, 28, 28)`` to ``(batch, 1, 28, 28)``."""
    return images.unsqueeze(1).float().div_(127.5).sub_(1)


def main() -> None:
    """Trains and prints accuracy and efficiency."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with the idx files")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--batch-size", type=int, default=32, help="per rank")
    parser.add_argument("--learning-rate", type=float, default=0.05)
    parser.add_argument("--limit", type=int, default=60_000, help="training samples in all")
    parser.add_argument("--topology", default="auto")
    parser.add_argument("--mode", default="overlap")
    parser.add_argument("--wire", default="bf16")
    parser.add_argument("--log", type=Path, help="folder for per-step JSON lines and a trace")
    arguments = parser.parse_args()

    torch.manual_seed(0)
    model = GossipDataParallel(
        lenet(), topology=arguments.topology, mode=arguments.mode, wire=arguments.wire
    )
    log = StepLog(model, arguments.log)
    images = read_idx(arguments.data, "train-images-idx3-ubyte")[: arguments.limit]
    labels = read_idx(arguments.data, "train-labels-idx1-ubyte")[: arguments.limit].long()
    mine = slice(model.rank, len(images) // model.world_size * model.world_size, model.world_size)
    loader = GossipDataLoader(images[mine], labels[mine], arguments.batch_size, transform=scale)
    optimizer = torch.optim.SGD(model.parameters(), lr=arguments.learning_rate, momentum=0.9)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, arguments.epochs * len(loader))

    for epoch in range(arguments.epochs):
        model.train()
        began = time.perf_counter()
        for batch, targets in loader:
            optimizer.zero_grad()
            loss = cross_entropy(model(batch), targets)
            loss.backward()
            optimizer.step()
            schedule.step()
        seconds = time.perf_counter() - began
        model.eval()
        test = read_idx(arguments.data, "t10k-images-idx3-ubyte")
        truth = read_idx(arguments.data, "t10k-labels-idx1-ubyte")
        with torch.no_grad():
            guesses = torch.cat([model(scale(part)).argmax(1) for part in test.split(1000)])
        if model.rank == 0:
            accuracy = (guesses == truth).float().mean().item()
            print(
                f"epoch {epoch + 1}: accuracy {accuracy:.2%}, loss {loss.item():.3f}, "
                f"{seconds:.1f} s, efficiency {log.efficiency():.1%} on {model.world_size} ranks",
                flush=True,
            )
    loader.finish()
    log.close()
    model.close()


if __name__ == "__main__":
    main()
