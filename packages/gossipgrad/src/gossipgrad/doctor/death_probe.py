"""The job that shows whether ranks outlive another's death: rank 2 of 3 kills itself.

Run by `mpiexec -n 3 python -m gossipgrad.doctor.death_probe`. Where the MPI has ULFM and uses it,
rank 0 prints the milliseconds until it noticed; elsewhere the launcher ends the job.
"""

import os
import signal
import sys
import time

import numpy as np

from gossipgrad.transports.mpi import import_mpi

_PATIENCE_S = 5.0


def main() -> None:
    """Lets rank 2 die while the others wait for its message, then has them exchange once more."""
    MPI = import_mpi()
    world = MPI.COMM_WORLD
    world.Set_errhandler(MPI.ERRORS_RETURN)
    word = np.zeros(1, np.uint8)
    world.Barrier()
    if world.rank == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    request = world.Irecv(word, source=2)
    start = time.perf_counter()
    noticed = False
    while not noticed and time.perf_counter() - start < _PATIENCE_S:
        try:
            request.Test()
        except MPI.Exception as error:
            noticed = error.Get_error_class() == MPI.ERR_PROC_FAILED
    taken_s = time.perf_counter() - start
    other = 1 - world.rank
    world.Sendrecv(np.ones(1, np.uint8), other, recvbuf=word, source=other)
    if world.rank == 0 and noticed and word[0] == 1:
        sys.stdout.write(f"noticed {taken_s * 1e3:.1f}\n")
        sys.stdout.flush()
    # Without MPI_Finalize, which would wait for the dead.
    os._exit(0)


if __name__ == "__main__":
    main()
