"""Trains by gossip while some ranks kill themselves, one after the other.

The task: {"victims": [[rank, step], ...], "steps", "takes_s", "megabytes", "seed"}. Each survivor
writes, per death, the milliseconds until it knew, by the clock that all ranks of a machine share;
its lost exchanges; its step times.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

import torch
from synthetic import synthetic

from gossipgrad import GossipDataParallel


def main() -> None:
    """Trains to the last step, or dies at its own."""
    task, results = json.loads(sys.argv[1]), Path(sys.argv[2])
    inner, batch = synthetic(task["megabytes"], task["takes_s"])
    model = GossipDataParallel(inner, wire="bf16", seed=task["seed"])
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4)
    lost: list[int] = []
    model.on_exchange(lambda outcome: lost.append(outcome.step) if outcome.lost else None)
    last_step = dict(task["victims"])
    steps_s = []
    for step in range(task["steps"]):
        if last_step.get(model.rank) == step:
            died = results / f"died-{model.rank}"
            died.with_suffix(".new").write_text(str(time.monotonic()))
            died.with_suffix(".new").rename(died)
            os.kill(os.getpid(), signal.SIGKILL)
        start = time.perf_counter()
        model(batch).sum().backward()
        optimizer.step()
        optimizer.zero_grad()
        steps_s.append(time.perf_counter() - start)
    model.consensus()
    digest = sum(weight.detach().double().sum().item() for weight in model.parameters())
    noticed = {}
    for when, rank in model.deaths:
        died = results / f"died-{rank}"
        if died.exists():
            noticed[rank] = 1e3 * (when - float(died.read_text()))
    told = {"noticed_ms": noticed, "lost": lost, "steps_s": steps_s, "digest": digest}
    (results / f"{model.rank}.json").write_text(json.dumps(told))
    model.close()
    os._exit(0)  # MPI_Finalize would wait for the dead


if __name__ == "__main__":
    main()
