"""The network lab: hosts inside this kernel, and jobs started one rank to a host.

The lab's scripts lie in `$NETLAB`, else in `shared/netlab` beside the repository. They need root,
network namespaces and tc; where one is missing, tables that need the lab say so and are skipped.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
JOBS = HERE / "jobs"
ENVIRONMENT = Path(sys.prefix)


class Skipped(Exception):  # noqa: N818 - it is no error
    """A table cannot be measured on this machine; the sentence says why."""


def scripts() -> Path:
    """Returns the folder of the lab's scripts.

    Raises:
        Skipped: They are not there, or this machine cannot run them.
    """
    folder = Path(os.environ.get("NETLAB", ROOT.parent / "shared" / "netlab"))
    if not (folder / "netlab.sh").is_file():
        raise Skipped(f"no network lab in {folder}; set NETLAB to its folder")
    if os.geteuid() != 0:
        raise Skipped("the network lab needs root")
    missing = [tool for tool in ("ip", "tc", "unshare") if shutil.which(tool) is None]
    if missing:
        raise Skipped(f"the network lab needs {', '.join(missing)} (iproute2, util-linux)")
    return folder


@contextmanager
def hosts(count: int, rate: str, burst: str = "128kb") -> Iterator[Path]:
    """Sets up a lab of `count` hosts and takes it down again; yields the folder of its scripts."""
    folder = scripts()
    done = subprocess.run(
        [folder / "netlab.sh", "up", str(count), rate, burst],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Skipped(f"the network lab did not come up: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run([folder / "netlab.sh", "down"], check=False)


def run_in_lab(
    ranks: int, kind: str, job: str, task: Any, *, mbit: int, environment: Path = ENVIRONMENT
) -> list[Any]:
    """Runs a job in a lab of `ranks` hosts and returns what each rank wrote, by rank.

    Args:
        ranks: Number of hosts.
        mbit: Rate of each host's link, in Mbit/s.
        kind: "mpich", "openmpi" or "gloo".
        job: Name of a script in `jobs`.
        task: Handed to the job as JSON.
        environment: The Python environment that holds the MPI.
    """
    with hosts(ranks, f"{mbit}mbit") as folder:
        command = [folder / "run_net.sh", str(ranks), kind, environment, JOBS / job]
        written = collect(command, task, ranks)
    if None in written:
        raise RuntimeError(f"{job}: {written.count(None)} of {ranks} ranks wrote nothing")
    return written


def run_here(
    ranks: int,
    job: str,
    task: Any,
    *,
    mpiexec: tuple[str, ...] = ("-n",),
    environment: Path = ENVIRONMENT,
    timeout_s: float = 570,
) -> list[Any]:
    """Runs a job under this machine's mpiexec, without a lab; returns what each rank wrote."""
    binaries = environment / "bin"
    command = [binaries / "mpiexec", *mpiexec, str(ranks), binaries / "python", JOBS / job]
    return collect(command, task, ranks, timeout_s)


def stream(ranks: int, job: str, task: Any) -> Iterator[Any]:
    """Runs a job as `run_here` does and yields each JSON line that it prints, as it comes.

    Raises:
        RuntimeError: It ended badly; what it had told stands.
    """
    binaries = ENVIRONMENT / "bin"
    command = [binaries / "mpiexec", "-n", str(ranks), binaries / "python", JOBS / job]
    job_process = subprocess.Popen(
        [*map(str, command), json.dumps(task)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **QUIET},
    )
    with job_process as running:
        assert running.stdout is not None  # noqa: S101 - it is a pipe
        for line in running.stdout:
            if line.startswith("{"):
                yield json.loads(line)
    if running.returncode:
        raise RuntimeError(f"{job} on {ranks} ranks exited {running.returncode}")


def collect(command: list[Any], task: Any, ranks: int, timeout_s: float = 570) -> list[Any]:
    """Runs a command with the task and a folder for results as its last two arguments.

    Ranks that wrote nothing in `timeout_s` have None in the list that is returned.

    Raises:
        RuntimeError: No rank wrote anything.
    """
    with tempfile.TemporaryDirectory(prefix="gossipgrad-bench-") as results:
        done = subprocess.run(
            ["timeout", str(timeout_s), *map(str, command), json.dumps(task), results],
            capture_output=True,
            text=True,
            env={**os.environ, **QUIET},
            check=False,
        )
        files = [Path(results) / f"{rank}.json" for rank in range(ranks)]
        written = [json.loads(file.read_text()) if file.exists() else None for file in files]
    if not any(written):
        said = "\n".join((done.stdout + done.stderr).strip().splitlines()[-12:])
        raise RuntimeError(f"{' '.join(map(str, command[:5]))} exited {done.returncode}:\n{said}")
    return written


# Open MPI refuses to run for root, whom the lab needs, unless told twice.
QUIET = {
    "OMP_NUM_THREADS": "1",
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "PYTHONWARNINGS": "ignore",
}
