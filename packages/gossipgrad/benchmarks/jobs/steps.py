"""Trains the synthetic model by each method of the task in turn; one rank per host.

The task is a list of cases: {"method", "takes_s", "steps", "megabytes", and for gossip "mode",
"wire" and perhaps "transport"; "slow": factor by which rank 0 is slower}. Each rank writes a list
of results: seconds of every step, bytes by the interface's counter, exposed seconds as the package
reports them.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from synthetic import synthetic
from torch import nn

WARM = 3
COUNTER = Path("/sys/class/net/eth0/statistics/tx_bytes")


def main() -> None:
    """Runs every case and writes the results of this rank."""
    cases, results = json.loads(sys.argv[1]), Path(sys.argv[2])
    on_gloo = "WORLD_SIZE" in os.environ
    rank, barrier = _gloo() if on_gloo else _mpi()
    told = [measure(case, rank, barrier) for case in cases]
    (results / f"{rank}.json").write_text(json.dumps(told))
    barrier()


def measure(case: dict[str, Any], rank: int, barrier: Callable[[], None]) -> dict[str, Any]:
    """Returns what one case cost this rank."""
    takes_s = case["takes_s"] * (case.get("slow", 1.0) if rank == 0 else 1.0)
    inner, batch = synthetic(case["megabytes"], takes_s)
    exposed: list[float] = []
    model, update = prepare(inner, case, exposed)

    def step() -> None:
        model(batch).sum().backward()
        update()

    for _ in range(WARM):
        step()
    quiet(case, barrier)
    sent, exposed[:] = bytes_sent(), []
    steps_s = []
    for _ in range(case["steps"]):
        start = time.perf_counter()
        step()
        steps_s.append(time.perf_counter() - start)
    quiet(case, barrier)
    sent = bytes_sent() - sent
    wire_bytes = getattr(model, "wire_bytes", 0)
    if hasattr(model, "close"):
        model.close()
    barrier()
    return {"steps_s": steps_s, "sent": sent, "exposed_s": exposed, "wire_bytes": wire_bytes}


def prepare(
    inner: nn.Module, case: dict[str, Any], exposed: list[float]
) -> tuple[nn.Module, Callable[[], None]]:
    """Returns the wrapped model, and what to call after backward."""
    method = case["method"]
    if method == "decent-dp":
        from decent_dp.ddp import DecentralizedDataParallel  # noqa: PLC0415
        from loguru import logger  # noqa: PLC0415

        logger.remove()
        model = DecentralizedDataParallel(
            inner,
            lambda named: torch.optim.SGD([weight for _, weight in named], lr=1e-4),
            topology="one-peer-exp",
            _local_world_size=1,
        )
        return model, lambda: None
    if method == "gossip":
        from gossipgrad import GossipDataParallel  # noqa: PLC0415

        model = GossipDataParallel(
            inner, mode=case["mode"], wire=case["wire"], transport=case.get("transport", "auto")
        )
        model.on_exchange(lambda outcome: exposed.append(outcome.exposed_s))
    else:
        from gossipgrad.baselines import wrap  # noqa: PLC0415

        model = wrap(method, inner)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4)

    def update() -> None:
        optimizer.step()
        optimizer.zero_grad()

    return model, update


def quiet(case: dict[str, Any], barrier: Callable[[], None]) -> None:
    """Waits until what was begun has surely been sent: twice the model's time on the wire."""
    barrier()
    time.sleep(2 * case["megabytes"] * 8 / case["mbit"] + 0.1)
    barrier()


def bytes_sent() -> int:
    """Returns the interface's count; 0 where there is no such interface."""
    return int(COUNTER.read_text()) if COUNTER.exists() else 0


def _mpi() -> tuple[int, Callable[[], None]]:
    from mpi4py import MPI  # noqa: PLC0415

    world = MPI.COMM_WORLD.Dup()

    def barrier() -> None:
        waiting = world.Ibarrier()
        while not waiting.Test():
            time.sleep(1e-3)

    return world.rank, barrier


def _gloo() -> tuple[int, Callable[[], None]]:
    import torch.distributed as dist  # noqa: PLC0415

    dist.init_process_group("gloo")
    return dist.get_rank(), dist.barrier


if __name__ == "__main__":
    main()
