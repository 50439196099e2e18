"""Times Python's share of an exchange, a rank with itself, and of the schedule at 2^20 ranks."""

import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch

from gossipgrad.schedules import make_schedule
from gossipgrad.transports.mpi import MpiTransport, import_mpi

BYTES = 4096
MANY = 1 << 20


def main() -> None:
    """Writes medians in microseconds."""
    task, results = json.loads(sys.argv[1]), Path(sys.argv[2])
    MPI = import_mpi()
    transport = MpiTransport(MPI.COMM_WORLD)
    outgoing, incoming = (torch.zeros(BYTES, dtype=torch.uint8) for _ in range(2))

    def ours() -> None:
        receiving = transport.receive(incoming, 0, 7)
        sending = transport.send(outgoing, 0, 7)
        while not (sending.done() and receiving.done()):
            pass

    world = MPI.COMM_WORLD

    def naive() -> None:
        receiving = world.Irecv(incoming, source=0)
        MPI.Request.Waitall([world.Isend(outgoing, dest=0), receiving])

    schedule = make_schedule("auto", MANY, seed=3)
    step = 0

    def turn() -> None:
        nonlocal step
        schedule.turn(123_456, step)
        step += 1

    rounds = task["rounds"]
    told = {
        "exchange_us": median_us(ours, rounds),
        "naive_us": median_us(naive, rounds),
        "schedule_us": median_us(turn, rounds),
    }
    (results / "0.json").write_text(json.dumps(told))


def median_us(act: Callable[[], None], rounds: int) -> float:
    """Returns the median microseconds of one call, over batches of 20."""
    taken = []
    for _ in range(max(10, rounds // 20)):
        start = time.perf_counter()
        for _ in range(20):
            act()
        taken.append((time.perf_counter() - start) / 20)
    return 1e6 * statistics.median(taken[2:])


if __name__ == "__main__":
    main()
