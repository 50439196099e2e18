"""Writers that share a commit: each gets its own answer, and what is answered is on disk."""

import asyncio
import contextlib
import gc
import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Connection, Engine, event, func, insert, select, text

from sigopt_orchestrate.server.accounts import create_client, create_token
from sigopt_orchestrate.server.authentication import Scope
from sigopt_orchestrate.server.errors import ConflictError, InvalidError, UnavailableError
from sigopt_orchestrate.server.transactions import Transactions
from sigopt_orchestrate.store.database import open_database, reading, writing
from sigopt_orchestrate.store.resources import observations, organizations

X = {"name": "x", "type": "double", "bounds": {"min": 0, "max": 1}}
_CONNECTIONS = 4


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    opened = open_database(url)
    yield opened
    opened.dispose()


def run(engine: Engine, *works: Any) -> list[Any]:
    """The results, or the errors, of works that are handed in all at once."""

    async def together() -> list[Any]:
        transactions = Transactions(engine)
        handed: list[Coroutine[Any, Any, Any]] = [transactions.write(work) for work in works]
        results = await asyncio.gather(*handed, return_exceptions=True)
        transactions.close()
        return results

    return asyncio.run(together())


def add(name: str, row_id: int | None = None) -> Any:
    def work(tx: Connection) -> str:
        given = {} if row_id is None else {"id": row_id}
        tx.execute(insert(organizations).values(name=name, created=1, **given))
        return name

    return work


def test_one_that_fails_takes_nobody_along(engine: Engine) -> None:
    def fails_half_way(tx: Connection) -> None:
        add("half", 50)(tx)
        raise InvalidError("no")

    results = run(engine, add("a", 1), fails_half_way, add("again", 1), add("b", 2))
    assert (results[0], results[3]) == ("a", "b")
    assert isinstance(results[1], InvalidError)
    assert isinstance(results[2], ConflictError)
    with reading(engine) as tx:
        names = tx.execute(select(organizations.c.name).order_by(organizations.c.id)).scalars()
        assert list(names) == ["a", "b"]


def test_a_locked_database_is_a_clear_error_and_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "orchestrate.db"
    engine = open_database(path)
    event.listen(engine, "connect", lambda c, _: c.execute("PRAGMA busy_timeout = 20").close())
    engine.dispose()  # the next connection waits that long only
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        (error,) = run(engine, add("a"))
        assert isinstance(error, UnavailableError)
        assert "database is locked" in str(error)
        other.execute("ROLLBACK")
    assert run(engine, add("a")) == ["a"]
    engine.dispose()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the lost one's
def test_a_lost_postgresql_connection_is_a_clear_error_and_the_next_one_works(
    postgresql_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    import psycopg  # noqa: PLC0415 - absent where nothing needs it

    engine = open_database(postgresql_url)

    def loses_it(tx: Connection) -> None:
        own = tx.execute(text("SELECT pg_backend_pid()")).scalar_one()
        with psycopg.connect(postgresql_url, autocommit=True) as other:
            other.execute(f"SELECT pg_terminate_backend({own})")
        add("lost")(tx)

    (error,) = run(engine, loses_it)
    assert isinstance(error, UnavailableError)
    assert run(engine, add("a")) == ["a"]
    engine.dispose()
    caplog.clear()
    del error  # this and the log hold the lost connection
    gc.collect()


def test_what_was_answered_survives_a_kill(tmp_path: Path) -> None:
    engine = open_database(tmp_path / "orchestrate.db")
    with writing(engine) as tx:
        secret = create_token(tx, create_client(tx, "c"), Scope.ADMIN)[1]
    command = [sys.executable, "-m", "sigopt_orchestrate", "server", "--port", "0"]
    process = subprocess.Popen(
        [*command, "--home", str(tmp_path)],
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    assert process.stderr is not None
    found = (re.search(r"running on (http://[\w.:]+)", line) for line in process.stderr)
    address = next(match[1] for match in found if match)
    log = threading.Thread(target=process.stderr.read)
    log.start()
    body = {"name": "e", "type": "random", "parameters": [X], "metrics": [{"name": "y"}]}
    made = httpx.post(f"{address}/v1/experiments", json=body, auth=(secret, "")).json()
    url = f"{address}/v1/experiments/{made['id']}/observations"
    answered: list[str] = []

    def post() -> None:
        with httpx.Client(auth=(secret, "")) as client, contextlib.suppress(httpx.HTTPError):
            while True:
                sent = client.post(url, json={"assignments": {"x": 0.5}, "value": 1})
                answered.append(sent.json()["id"])
                if len(answered) == 60:
                    process.send_signal(signal.SIGKILL)

    threads = [threading.Thread(target=post) for _ in range(_CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    process.wait()
    log.join()
    process.stderr.close()
    with reading(engine) as tx:
        stored = set(tx.execute(select(observations.c.id)).scalars())
        counted = tx.execute(select(func.count()).select_from(observations)).scalar_one()
    engine.dispose()
    assert {int(row_id) for row_id in answered} <= stored
    assert counted <= len(answered) + _CONNECTIONS  # at most those whose answer was under way
