"""Experiments, stores and databases that several tests start from."""

import os
import pwd
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sigopt_orchestrate.spec import Experiment
from sigopt_orchestrate.store import ExperimentRecord, Store


@pytest.fixture
def make_spec() -> Callable[..., Experiment]:
    """Makes a small valid experiment; keywords replace its keys."""

    def make(**keys: object) -> Experiment:
        given = {
            "name": "toy",
            "command": ["true"],
            "parameters": [{"name": "x", "type": "double", "bounds": {"min": 0, "max": 1}}],
            "metrics": [{"name": "y"}],
            "budget": 4,
            "parallel": 2,
        }
        return Experiment.model_validate(given | keys)

    return make


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty store."""
    opened = Store(tmp_path / "home")
    yield opened
    opened.close()


@pytest.fixture
def stores(url: str, tmp_path: Path) -> Iterator[Callable[[], Store]]:
    """Opens one and the same empty store, on either database, again and again."""
    opened: list[Store] = []

    def open_one() -> Store:
        opened.append(Store(tmp_path / "home", url))
        return opened[-1]

    yield open_one
    for store in opened:
        store.close()


@pytest.fixture
def experiment(
    store: Store, make_spec: Callable[..., Experiment], tmp_path: Path
) -> ExperimentRecord:
    """A stored experiment with a budget of 4."""
    return store.create_experiment(make_spec(), tmp_path)


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """A PostgreSQL of our own on a private socket; gives the URL of its maintenance database."""
    newest = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: int(p.parent.name))
    found = shutil.which("initdb")
    binaries = newest[-1] if newest else Path(found).parent if found else None
    if binaries is None:
        pytest.skip("no PostgreSQL server: no /usr/lib/postgresql/*/bin and no initdb on the path")
    root = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))  # a socket's path must be short
    user = {"user": "postgres" if _exists("postgres") else "nobody"} if os.geteuid() == 0 else {}
    if user:
        shutil.chown(root, user["user"])
    data = str(root / "data")
    # Crashes of the machine are not what the tests are about: without fsync they take half as long.
    settings = f"-c fsync=off -c listen_addresses= -k {root} -c max_connections=50"

    def call(*command: str) -> None:
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=root, **user)  # type: ignore[call-overload]

    call(f"{binaries}/initdb", "-D", data, "-A", "trust", "-U", "orchestrate", "-N", "-E", "UTF8")
    call(f"{binaries}/pg_ctl", "-D", data, "-w", "-l", str(root / "log"), "-o", settings, "start")
    yield f"postgresql://orchestrate@/postgres?host={root}"
    call(f"{binaries}/pg_ctl", "-D", data, "-w", "-m", "immediate", "stop")
    shutil.rmtree(root)


def _exists(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True


@pytest.fixture
def postgresql_url(postgresql_server: str) -> str:
    """The URL of an empty database."""
    import psycopg  # noqa: PLC0415 - absent where nothing needs it

    name = f"t{uuid.uuid4().hex}"
    with psycopg.connect(postgresql_server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return postgresql_server.replace("/postgres?", f"/{name}?")


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database of either kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'orchestrate.db'}"
    return str(request.getfixturevalue("postgresql_url"))
