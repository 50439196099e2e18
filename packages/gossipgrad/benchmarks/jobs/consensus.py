"""Makes ranks that trained apart equal by `consensus()`, and holds all their bits side by side."""

import json
import sys
from pathlib import Path

import torch
from mpi4py import MPI

from gossipgrad import GossipDataParallel


def main() -> None:
    """Writes on rank 0: the largest difference before and after, and the exchanges it took."""
    results = Path(sys.argv[2])
    world = MPI.COMM_WORLD.Dup()
    torch.manual_seed(0)
    inner = torch.nn.Sequential(torch.nn.Linear(500, 500), torch.nn.Linear(500, 500))
    model = GossipDataParallel(inner, wire="bf16")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(5):
        inputs = torch.randn(8, 500, generator=torch.Generator().manual_seed(world.rank))
        model(inputs).square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()
    before = _spread(world, inner)
    report = model.consensus()
    after = _spread(world, inner)
    if world.rank == 0:
        told = {"before": before, "after": after, "exchanges": report.exchanges}
        (results / "0.json").write_text(json.dumps(told))
    model.close()


def _spread(world: MPI.Comm, model: torch.nn.Module) -> float:
    mine = torch.cat([weight.detach().reshape(-1) for weight in model.parameters()]).numpy()
    everyone = world.gather(mine)
    if everyone is None:
        return 0.0
    return float(max(abs(theirs - everyone[0]).max() for theirs in everyone))


if __name__ == "__main__":
    main()
