"""Experiments, stores and databases that several tests start from."""

import contextlib
import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sigopt_orchestrate.aws import session
from sigopt_orchestrate.spec import Experiment
from sigopt_orchestrate.store import ExperimentRecord, Store

sys.path += [str(Path(__file__).parent), str(Path(__file__).parents[1] / "benchmarks")]
from private_postgresql import binaries, private_postgresql

if TYPE_CHECKING:
    from pretend_aws import Aws


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


@pytest.fixture(scope="session")
def aws_server() -> Iterator["Aws"]:
    """moto's server behind a proxy, once for all tests."""
    pytest.importorskip("moto", reason="moto[server] is not installed")
    from pretend_aws import pretend_aws  # noqa: PLC0415 - moto takes seconds

    session.client.cache_clear()
    with pretend_aws() as server:
        yield server
    session.client.cache_clear()


@pytest.fixture
def aws(aws_server: "Aws", monkeypatch: pytest.MonkeyPatch) -> Iterator["Aws"]:
    """AWS without instances, rules and calls; boto3 in this process finds it."""
    for name, value in aws_server.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    aws_server.calls.clear()
    yield aws_server
    aws_server.rule = None
    for instance in aws_server.instances("pending", "running"):
        instance.terminate()


@pytest.fixture
def make_bucket(aws: "Aws") -> Iterator[Callable[..., str]]:
    """Makes buckets of S3, and gives their names; they go with all that is in them."""
    assert aws.url
    made: list[tuple[str, session.Client]] = []

    def make(name: str, region: str | None = None) -> str:
        s3 = session.client("s3", region)
        place = {"CreateBucketConfiguration": {"LocationConstraint": region}} if region else {}
        s3.call("create_bucket", Bucket=name, **place)
        made.append((name, s3))
        return name

    yield make
    aws.rule = None
    for name, s3 in made:
        for one in s3.pages("list_objects_v2", "Contents", Bucket=name):
            s3.call("delete_object", Bucket=name, Key=one["Key"])
        s3.call("delete_bucket", Bucket=name)
