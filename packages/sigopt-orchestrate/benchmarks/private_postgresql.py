"""A PostgreSQL server of our own, for tests and benchmarks: private socket, no port, no traces."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def binaries() -> Path | None:
    """Returns the folder of the newest server that is installed, or None where there is none."""
    debian = Path("/usr/lib/postgresql").glob("*/bin")
    newest = sorted(debian, key=lambda path: int(path.parent.name))
    found = shutil.which("initdb")
    return newest[-1] if newest else Path(found).parent if found else None


@contextmanager
def private_postgresql() -> Iterator[str]:
    """Starts a server and gives the URL of its maintenance database.

    Without fsync: what is at stake here is the death of processes and not of the machine, and the
    server's own crash recovery needs none for that.
    """
    programs = binaries()
    if programs is None:
        raise FileNotFoundError("no PostgreSQL server is installed")
    root = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))
    data = str(root / "data")
    settings = f"-c fsync=off -c listen_addresses= -k {root} -c max_connections=50"
    user = {}
    if os.geteuid() == 0:  # initdb refuses root
        user = {"user": "postgres" if _exists("postgres") else "nobody"}
        shutil.chown(root, user["user"])

    def call(*command: str) -> None:
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=root, **user)

    def control(*command: str) -> None:
        call(f"{programs}/pg_ctl", "-D", data, "-w", *command)

    try:
        initdb = f"{programs}/initdb"
        call(initdb, "-D", data, "-A", "trust", "-U", "orchestrate", "-N", "-E", "UTF8")
        control("-l", str(root / "log"), "-o", settings, "start")
        yield f"postgresql://orchestrate@/postgres?host={root}"
    finally:
        if (root / "data" / "postmaster.pid").exists():
            control("-m", "immediate", "stop")
        shutil.rmtree(root)


def _exists(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True
