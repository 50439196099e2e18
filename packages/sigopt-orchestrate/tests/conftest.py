"""Experiments, stores and databases that several tests start from."""

import contextlib
import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from sigopt_orchestrate.spec import Experiment
from sigopt_orchestrate.store import ExperimentRecord, Store

sys.path += [str(Path(__file__).parent), str(Path(__file__).parents[1] / "benchmarks")]
from private_postgresql import binaries, private_postgresql


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
    if binaries() is None:
        pytest.skip("no PostgreSQL server: no /usr/lib/postgresql/*/bin and no initdb on the path")
    with private_postgresql() as url:
        yield url


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


@dataclass(frozen=True)
class SmallDisk:
    """A disk of four megabytes, mounted at `path`: a log of SQLite's may take one of them."""

    path: Path

    def fill(self) -> Path:
        """Writes a file until there is no space left, and returns it."""
        filler = self.path / "filler"
        with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(4096))
        return filler


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """A disk that is soon full."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    path = tmp_path / "disk"
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(path)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small disk is not allowed here")
    yield SmallDisk(path)
    subprocess.run(["umount", "--lazy", str(path)], check=True)
