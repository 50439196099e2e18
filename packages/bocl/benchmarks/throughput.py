"""B8: images per CPU second of plain training, ours beside Avalanche's loop: same net, same data.

Run by a Python that has avalanche-lib; without it Avalanche's row is missing. One epoch of 60 000
images of MNIST's size through 784-312-128-10 in batches of 128, Adam, one thread, after a warm-up.
"""

from __future__ import annotations

import gzip
import json
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

import torch
from avalanche_on_cpu import avalanche
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from bocl.baselines import Separate
from bocl.streams.samples import Samples
from bocl.streams.sources import MNIST_FILES, mnist_file
from bocl.training import Schedule
from bocl.trunks.architectures import make_trunk

COUNT, BATCH = 60_000, 128


def images() -> Samples:
    """Returns made images of MNIST's size; speed does not depend on what they show."""
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(COUNT, 1, 28, 28, generator=generator)
    return Samples(inputs, torch.randint(0, 10, (COUNT,), generator=generator))


def network() -> nn.Module:
    """Returns the same net as a torch module."""
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(784, 312),
        nn.ReLU(),
        nn.Linear(312, 128),
        nn.ReLU(),
        nn.Linear(128, 10),
    )


def ours(samples: Samples) -> float:
    """Returns the CPU seconds of our loop."""
    method = Separate(make_trunk("mlp", (1, 28, 28)), Schedule(epochs=1, batch=BATCH))
    method.fit_task(samples)
    return method.cpu_s


def plain_loop(samples: Samples) -> float:
    """Returns the CPU seconds of the loop of a tutorial: DataLoader, torch.optim."""
    model = network()
    optimizer = torch.optim.Adam(model.parameters())
    loader = DataLoader(TensorDataset(samples.inputs, samples.targets), BATCH, shuffle=True)
    began = time.process_time()
    for x, y in loader:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    return time.process_time() - began


def avalanche_loop(samples: Samples) -> float:
    """Returns the CPU seconds of Avalanche's Naive strategy without loggers."""
    benchmarks, supervised = avalanche("benchmarks"), avalanche("training.supervised")
    pair = [(samples.inputs, samples.targets)]
    benchmark = benchmarks.tensors_benchmark(train_tensors=pair, test_tensors=pair, task_labels=[0])
    model = network()
    strategy = supervised.Naive(
        model=model,
        optimizer=torch.optim.Adam(model.parameters()),
        criterion=nn.CrossEntropyLoss(),
        train_mb_size=BATCH,
        train_epochs=1,
        evaluator=None,
    )
    began = time.process_time()
    strategy.train(benchmark.train_stream[0])
    return time.process_time() - began


def avalanche_own_mnist() -> float:
    """Returns the CPU seconds of the same on Avalanche's own MNIST, transforms included."""
    benchmarks, supervised = avalanche("benchmarks"), avalanche("training.supervised")
    with tempfile.TemporaryDirectory() as root:
        raw = Path(root) / "MNIST" / "raw"
        raw.mkdir(parents=True)
        for name in MNIST_FILES:
            content = mnist_file(name).read_bytes()
            packed = content[:2] == b"\x1f\x8b"
            (raw / name).write_bytes(gzip.decompress(content) if packed else content)
        benchmark = benchmarks.PermutedMNIST(1, dataset_root=root, seed=0)
        model = network()
        strategy = supervised.Naive(
            model=model,
            optimizer=torch.optim.Adam(model.parameters()),
            criterion=nn.CrossEntropyLoss(),
            train_mb_size=BATCH,
            train_epochs=1,
            evaluator=None,
        )
        began = time.process_time()
        strategy.train(benchmark.train_stream[0])
        return time.process_time() - began


def main() -> None:
    """Prints, as JSON, images per CPU second of each loop: the best of three."""
    torch.set_num_threads(1)
    samples = images()
    loops = {"bocl": ours, "DataLoader and torch.optim": plain_loop}
    if find_spec("avalanche"):
        loops["Avalanche 0.6.0, Naive, tensors"] = avalanche_loop
    warm = samples[torch.arange(4096)]
    for loop in loops.values():
        loop(warm)
    seconds = {name: min(loop(samples) for _ in range(3)) for name, loop in loops.items()}
    if find_spec("avalanche"):
        seconds["Avalanche 0.6.0, Naive, its own MNIST"] = avalanche_own_mnist()
    print(json.dumps({name: COUNT / spent for name, spent in seconds.items()}))


if __name__ == "__main__":
    main()
