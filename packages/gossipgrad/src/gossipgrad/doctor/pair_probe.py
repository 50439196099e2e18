"""The job that asks two MPI ranks about their library and their link; rank 0 prints JSON.

Run by `mpiexec -n 2 python -m gossipgrad.doctor.pair_probe`, also across two hosts.
"""

import json
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np

from gossipgrad.transports.device_memory import mpi_takes_device_memory
from gossipgrad.transports.mpi import import_mpi

_SIZE = 4 << 20
_ROUNDS = 15


def main() -> None:
    """Answers on rank 0 with what the library says of itself and how fast the pair exchanges."""
    MPI = import_mpi()
    world = MPI.COMM_WORLD
    levels = {
        MPI.THREAD_SINGLE: "single",
        MPI.THREAD_FUNNELED: "funneled",
        MPI.THREAD_SERIALIZED: "serialized",
        MPI.THREAD_MULTIPLE: "multiple",
    }
    vendor, version = MPI.get_vendor()
    there, both = _one_way_and_exchange_s(world)
    if world.rank == 0:
        told = {
            "vendor": vendor,
            "version": ".".join(map(str, version)),
            "library": MPI.Get_library_version().splitlines()[0].strip("\0 "),
            "standard": ".".join(map(str, MPI.Get_version())),
            "thread_level": levels[MPI.Query_thread()],
            "device_memory": asdict(mpi_takes_device_memory()),
            "one_way_ms": there * 1e3,
            "exchange_ms": both * 1e3,
            "hosts": 1,
        }
        told["hosts"] = len({MPI.Get_processor_name(), world.recv(source=1)})
        sys.stdout.write(json.dumps(told) + "\n")
    elif world.rank == 1:
        world.send(MPI.Get_processor_name(), dest=0)
    world.Barrier()


def _one_way_and_exchange_s(world: Any) -> tuple[float, float]:
    """Returns the median seconds of 4 MiB one way, and of 4 MiB both ways at once."""
    sent, received = np.zeros(_SIZE, np.uint8), np.empty(_SIZE, np.uint8)
    other = 1 - world.rank
    token = np.zeros(1, np.uint8)

    def one_way() -> None:
        if world.rank == 0:
            world.Send(sent, other)
            world.Recv(token, other)
        else:
            world.Recv(received, other)
            world.Send(token, other)

    def exchange() -> None:
        world.Sendrecv(sent, other, recvbuf=received, source=other)

    return _median_s(world.Barrier, one_way), _median_s(world.Barrier, exchange)


def _median_s(ready: Callable[[], None], act: Callable[[], None]) -> float:
    taken = []
    for _ in range(_ROUNDS):
        ready()
        start = time.perf_counter()
        act()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken[3:])


if __name__ == "__main__":
    main()
