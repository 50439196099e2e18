"""The job that measures alpha and beta: two MPI ranks exchange messages of growing size.

Run by `mpiexec -n 2 python -m gossipgrad.simulation.ping_pong`, also across two hosts; rank 0
prints JSON, a list of [bytes, seconds of one simultaneous exchange].
"""

import json
import statistics
import sys
import time

import numpy as np
from mpi4py import MPI

SIZES = [1 << power for power in (0, 6, 10, 12, 14, 16, 18, 20, 22, 24)]
_BUDGET_S = 0.25


def exchange_seconds(communicator: MPI.Comm, size: int) -> float:
    """Returns the median seconds of one exchange of `size` bytes between ranks 0 and 1."""
    sent, received = np.zeros(size, np.uint8), np.empty(size, np.uint8)
    other = 1 - communicator.rank
    taken: list[float] = []
    while True:
        communicator.Barrier()
        start = time.perf_counter()
        communicator.Sendrecv(sent, other, recvbuf=received, source=other)
        taken.append(time.perf_counter() - start)
        enough = len(taken) >= 5 and (sum(taken) > _BUDGET_S or len(taken) >= 500)
        if communicator.bcast(enough):
            # The first exchange of a size pays for buffers and connections.
            return float(communicator.bcast(statistics.median(taken[1:])))


def main() -> None:
    """Measures every size and prints the result on rank 0."""
    pair = MPI.COMM_WORLD.Split(MPI.COMM_WORLD.rank > 1, MPI.COMM_WORLD.rank)
    if MPI.COMM_WORLD.rank < 2 and pair.size == 2:
        points = [[size, exchange_seconds(pair, size)] for size in SIZES]
        if pair.rank == 0:
            sys.stdout.write(json.dumps(points) + "\n")
    MPI.COMM_WORLD.Barrier()


if __name__ == "__main__":
    main()
