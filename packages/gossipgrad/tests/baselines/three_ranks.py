"""Trains a small model by each baseline on 3 ranks; rank 0 prints all.

Run by mpiexec from `test_every_baseline`. Every rank draws batches of its own, in
float64.
"""

import json
import sys

import torch
from mpi4py import MPI
from torch import Tensor, nn

from gossipgrad.baselines import BASELINES, wrap

STEPS, EVERY, LR = 7, 3, 0.1


class Net(nn.Module):
    """Two layers, one of them shared, and one that takes no part in the loss."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(4, 4)
        self.last = nn.Linear(4, 2)
        self.unused = nn.Linear(3, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        """Returns (batch, 2)."""
        return self.last(torch.tanh(self.first(torch.tanh(self.first(inputs)))))


def batches(rank: int) -> list[Tensor]:
    """Returns the inputs of a rank, one batch a step."""
    generator = torch.Generator().manual_seed(100 + rank)
    return [torch.randn(5, 4, generator=generator, dtype=torch.float64) for _ in range(STEPS)]


def start(rank: int) -> Net:
    """Returns the model a rank begins with; rank 0's counts."""
    torch.manual_seed(rank)
    return Net().double()


def flat(model: nn.Module) -> list[float]:
    """Returns all weights."""
    return [
        value for weight in model.parameters() for value in weight.detach().reshape(-1).tolist()
    ]


def main() -> None:
    """Trains, gathers, prints."""
    world = MPI.COMM_WORLD
    told = {}
    for name in BASELINES:
        net = start(0 if name == "none" else world.rank)
        options = {"every": EVERY} if name == "local-sgd" else {}
        if name.startswith("ddp"):
            net.unused.requires_grad_(False)  # DDP wants to be told of unused weights
        model = wrap(name, net, **options)
        optimizer = torch.optim.SGD(model.parameters(), lr=LR)
        for step, inputs in enumerate(batches(world.rank)):
            if step == 1:  # two batches accumulate into one step
                with model.no_sync():
                    model(inputs).square().mean().backward()
                continue
            model(inputs).square().mean().backward()
            optimizer.step()
            optimizer.zero_grad()
        trained = world.gather(flat(net))
        model.consensus()
        told[name] = {"trained": trained, "agreed": world.gather(flat(net))}
    if world.rank == 0:
        sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main()
