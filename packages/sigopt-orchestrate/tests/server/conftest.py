"""A real server on a loopback port, and callers with tokens of clients of their own."""

import contextlib
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import sigopt
from serving import serving

from sigopt_orchestrate.server.accounts import create_client, create_token
from sigopt_orchestrate.server.authentication import Scope
from sigopt_orchestrate.server.settings import Settings
from sigopt_orchestrate.store.database import open_database, writing


@dataclass(frozen=True)
class Server:
    """A server that runs; `issue` makes tokens behind its back, as the command line does."""

    address: str
    settings: Settings

    def issue(self, client_id: int | None = None, scope: Scope = Scope.ADMIN) -> "Caller":
        """A token of a client, of a new one where none is given."""
        engine = open_database(self.settings.store)
        with writing(engine) as tx:
            owner = create_client(tx, "test") if client_id is None else client_id
            secret = create_token(tx, owner, scope)[1]
        engine.dispose()
        return Caller(self.address, secret, owner)


@dataclass(frozen=True)
class Caller:
    """Somebody with a token."""

    address: str
    token: str
    client_id: int

    def __call__(self, method: str, path: str, body: Any = None, **options: Any) -> httpx.Response:
        """Sends a request to `/v1` + `path`."""
        return httpx.request(
            method,
            f"{self.address}/v1{path}",
            json=body,
            auth=(self.token, ""),
            timeout=60,
            **options,
        )

    def ok(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        """Sends a request that must succeed, and returns its JSON."""
        response = self(method, path, body, **options)
        assert response.is_success, response.text
        return response.json()

    def refused(self, status: int, method: str, path: str, body: Any = None) -> str:
        """Sends a request that must be refused with `status`, and returns the message."""
        response = self(method, path, body)
        assert response.status_code == status, response.text
        assert response.json()["status"] == status
        message: str = response.json()["message"]
        return message

    def connection(self) -> sigopt.Connection:
        """The old client's connection, unmodified."""
        return sigopt.Connection(client_token=self.token, api_url=self.address)


def run_server(settings: Settings) -> Iterator[Server]:
    """Serves from a thread until the generator is closed."""
    with serving(settings) as address:
        yield Server(address, settings)


@pytest.fixture(scope="session")
def sqlite_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server over SQLite."""
    folder = tmp_path_factory.mktemp("api")
    settings = Settings(
        folder / "orchestrate.db", folder, requests_per_second=0, failures_per_second=0
    )
    yield from run_server(settings)


@pytest.fixture(scope="session")
def postgresql_api(
    postgresql_server: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A server over PostgreSQL."""
    import psycopg  # noqa: PLC0415 - absent where nothing needs it

    name = f"api{uuid.uuid4().hex}"
    with psycopg.connect(postgresql_server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    url = postgresql_server.replace("/postgres?", f"/{name}?")
    folder = tmp_path_factory.mktemp("postgresql_api")
    yield from run_server(Settings(url, folder, requests_per_second=0, failures_per_second=0))


@pytest.fixture(params=["sqlite", "postgresql"])
def api(request: pytest.FixtureRequest) -> Server:
    """A server over either database."""
    served: Server = request.getfixturevalue(f"{request.param}_api")
    return served


@pytest.fixture
def caller(sqlite_api: Server) -> Caller:
    """The admin of a new client, on the server over SQLite."""
    return sqlite_api.issue()


@pytest.fixture
def either(api: Server) -> Caller:
    """The admin of a new client, on a server over either database."""
    return api.issue()


@pytest.fixture
def server_on() -> Iterator[Callable[[Path], Caller]]:
    """Starts a server with its store in a folder; gives the admin of a new client."""
    with contextlib.ExitStack() as running:

        def start(folder: Path) -> Caller:
            settings = Settings(folder / "orchestrate.db", folder, requests_per_second=0)
            return running.enter_context(contextlib.contextmanager(run_server)(settings)).issue()

        yield start


@pytest.fixture
def second_server(api: Server) -> Iterator[Callable[[Caller], Caller]]:
    """Starts one more server on the same store; gives the same caller at its address."""
    with contextlib.ExitStack() as running:

        def start(caller: Caller) -> Caller:
            second = running.enter_context(contextlib.contextmanager(run_server)(api.settings))
            return replace(caller, address=second.address)

        yield start


@pytest.fixture
def workdir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
