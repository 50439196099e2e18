"""Starting a training script on several ranks: finds an mpiexec, or says how to get one."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from gossipgrad.errors import ConfigurationError, MissingDependencyError

LAUNCHERS = ("auto", "mpi", "torch", "tcp")
_LOOK_S = 0.05


@dataclass(frozen=True, slots=True)
class Mpiexec:
    """A launcher that was found.

    Attributes:
        path: the program.
        vendor: "mpich", "openmpi", "intel" or "unknown".
    """

    path: str
    vendor: str


def find_mpiexec() -> Mpiexec | None:
    """Returns the mpiexec beside this Python (the wheels put it there), else the one on PATH."""
    beside = Path(sys.executable).parent / "mpiexec"
    found = str(beside) if beside.exists() else shutil.which("mpiexec")
    if found is None:
        return None
    shown = subprocess.run(
        [found, "--version"], capture_output=True, text=True, check=False, timeout=30
    )
    said = (shown.stdout + shown.stderr).lower()
    vendors = {"open mpi": "openmpi", "prte": "openmpi", "openrte": "openmpi", "intel": "intel",
               "hydra": "mpich", "mpich": "mpich"}  # fmt: skip
    return Mpiexec(found, next((name for word, name in vendors.items() if word in said), "unknown"))


def mpi_command(mpiexec: Mpiexec, ranks: int, program: Sequence[str]) -> list[str]:
    """Returns the command line that starts `program` on `ranks` ranks of this machine."""
    options = ["-n", str(ranks)]
    if mpiexec.vendor == "openmpi":
        # More ranks than cores are allowed; and a dead rank must not end the others.
        options = ["--with-ft", "ulfm", "--oversubscribe", *options]
    return [mpiexec.path, *options, *program]


def run(
    ranks: int, script: str, arguments: Sequence[str], launcher: str = "auto", restarts: int = 0
) -> int:
    """Runs a Python script on `ranks` ranks of this machine and returns its exit status.

    Args:
        ranks: how many, at least 1.
        script: path of the script.
        arguments: its arguments.
        launcher: "mpi", "torch" (torchrun's protocol), "tcp", or "auto": MPI where there is one.
        restarts: how many ranks that die are started anew, in all; with launcher "tcp" only.

    Raises:
        ConfigurationError: an argument is not allowed or the script is not there.
        MissingDependencyError: MPI is asked for and there is none.
    """
    if ranks < 1:
        raise ConfigurationError(f"-n is {ranks}; it must be at least 1")
    if launcher not in LAUNCHERS:
        raise ConfigurationError(f"launcher is {launcher!r}; allowed: {', '.join(LAUNCHERS)}")
    if restarts < 0:
        raise ConfigurationError(f"restarts is {restarts}; allowed: 0 or more")
    if restarts and launcher != "tcp":
        raise ConfigurationError(
            f"restarts is {restarts} with launcher {launcher!r}; only 'tcp' can start a rank anew"
        )
    if not Path(script).is_file():
        raise ConfigurationError(f"script is {script!r}; there is no such file")
    program = [sys.executable, script, *arguments]
    environment = {"OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // ranks)), **os.environ}
    if ranks == 1:
        return _wait([program], [environment])
    if launcher == "tcp":
        return _run_on_tcp(program, environment, ranks, restarts)
    mpiexec = find_mpiexec() if launcher in ("auto", "mpi") else None
    if launcher == "mpi" and mpiexec is None:
        raise MissingDependencyError(
            "no mpiexec beside this Python or on PATH: pip install 'gossipgrad[mpich]' or "
            "'gossipgrad[openmpi]', or start with --launcher torch, which needs no MPI"
        )
    if mpiexec is not None:
        environment |= _leave(mpiexec)
        return _wait([mpi_command(mpiexec, ranks, program)], [environment])
    environment |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(_free_port())}
    return _wait([program] * ranks, _numbered(environment, ranks))


def captured(
    mpiexec: Mpiexec, ranks: int, program: Sequence[str], timeout_s: float
) -> subprocess.CompletedProcess[str]:
    """Runs `program` on `ranks` ranks and returns what it said; past `timeout_s` it is ended."""
    child = subprocess.Popen(
        mpi_command(mpiexec, ranks, program),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | _leave(mpiexec),
        start_new_session=True,  # so that the ranks can be ended together with their launcher
    )
    try:
        said, complained = child.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        said, complained = child.communicate()
        complained += f"\nended after {timeout_s} s"
    return subprocess.CompletedProcess(child.args, child.returncode, said, complained)


def _leave(mpiexec: Mpiexec) -> dict[str, str]:
    """Returns what Open MPI wants to be told twice before it runs for root."""
    if os.geteuid() != 0 or mpiexec.vendor != "openmpi":
        return {}
    return {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}


def _run_on_tcp(program: list[str], environment: dict[str, str], ranks: int, restarts: int) -> int:
    from gossipgrad.transports.tcp.rendezvous import RENDEZVOUS, serve  # noqa: PLC0415 - torch

    store = serve("127.0.0.1")  # in this process, so that it outlives every rank
    environment |= {RENDEZVOUS: f"127.0.0.1:{store.port}"}
    return _wait([program] * ranks, _numbered(environment, ranks), restarts)


def _numbered(environment: dict[str, str], ranks: int) -> list[dict[str, str]]:
    return [
        {**environment, "RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(ranks)}
        for rank in range(ranks)
    ]


def _wait(programs: list[list[str]], environments: list[dict[str, str]], restarts: int = 0) -> int:
    children: list[subprocess.Popen[bytes]] = []
    on_term = signal.getsignal(signal.SIGTERM)
    may_set = threading.current_thread() is threading.main_thread()
    try:
        if may_set:
            signal.signal(signal.SIGTERM, _exit)  # what ends this process ends its ranks
        for program, environment in zip(programs, environments, strict=True):
            children.append(subprocess.Popen(program, env=environment))
        while None in (codes := [child.poll() for child in children]):
            # Once a rank has come to its end, there is nothing left to start another one for.
            for rank, code in enumerate(codes if restarts and 0 not in codes else ()):
                if code and restarts:
                    restarts -= 1
                    said = f"rank {rank} ended with status {code} and is started anew"
                    sys.stderr.write(f"gossipgrad: {said}; {restarts} more may be\n")
                    children[rank] = subprocess.Popen(programs[rank], env=environments[rank])
            time.sleep(_LOOK_S)
        return max((child.wait() for child in children), key=abs)
    except KeyboardInterrupt:
        for child in children:
            child.send_signal(signal.SIGINT)
        return 130
    finally:
        for child in children:
            if child.poll() is None:
                child.terminate()
                child.wait()
        if may_set:
            signal.signal(signal.SIGTERM, on_term)


def _exit(number: int, frame: FrameType | None) -> None:
    del frame
    sys.exit(128 + number)


def _free_port() -> int:
    import socket  # noqa: PLC0415 - only for torch's rendezvous

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
