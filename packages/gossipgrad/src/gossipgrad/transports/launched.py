"""What launchers tell a process about itself, in its environment."""

import os

from gossipgrad.errors import ConfigurationError

# Set by the launchers of MPICH and Intel MPI, Open MPI, Slurm's PMIx, Cray and MVAPICH; an MPIJob
# on Kubernetes starts its ranks by one of these.
_BY_MPI = (
    "PMI_RANK",
    "OMPI_COMM_WORLD_RANK",
    "PMIX_RANK",
    "ALPS_APP_PE",
    "MV2_COMM_WORLD_RANK",
)
_SIZES = ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MV2_COMM_WORLD_SIZE", "SLURM_STEP_NUM_TASKS")


def launched_for() -> str:
    """Returns the transport that this process was started for: "tcp", "mpi", "torch", "single"."""
    if "GOSSIPGRAD_RENDEZVOUS" in os.environ:
        return "tcp"
    if any(name in os.environ for name in _BY_MPI):
        return "mpi"
    return "torch" if "WORLD_SIZE" in os.environ and "MASTER_ADDR" in os.environ else "single"


def check_alone(kind: str) -> None:
    """Makes sure that a rank which finds itself alone was meant to be.

    Otherwise each of a job's processes would train a model of its own, and nobody would notice.

    Raises:
        ConfigurationError: the launcher started several ranks.
    """
    sizes = [(name, os.environ.get(name, "")) for name in _SIZES]
    for name, size in sizes:
        if size.isdigit() and int(size) > 1:
            advice = (
                "mpiexec and mpi4py belong to different MPIs: `gossipgrad doctor` names both"
                if kind == "mpi"
                else "start with `srun --mpi=pmix` (`srun --mpi=list` shows what there is)"
            )
            raise ConfigurationError(
                f"the launcher started {size} ranks ({name}), but this one finds itself alone; "
                + advice
            )
