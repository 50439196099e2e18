"""Opens a database by URL, SQLite or PostgreSQL, and brings it to the present schema."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from sigopt_orchestrate.errors import StoreError
from sigopt_orchestrate.store.address import Address
from sigopt_orchestrate.store.migrations import migrate
from sigopt_orchestrate.store.postgresql import require_psycopg
from sigopt_orchestrate.store.sqlite import configure

_LOCK_WAIT_S = 30
_MIGRATION_LOCK = 0x6F726368  # "orch": PostgreSQL's advisory lock while the schema changes


def open_database(url: str | Path | Address) -> Engine:
    """Returns an engine on a database of the present schema; an empty one is filled.

    Args:
        url: `sqlite:///relative/path`, `sqlite:////absolute/path` or
            `postgresql://user@host/database`; a bare path is a SQLite file. The file is made where
            there is none.

    Raises:
        StoreError: If it cannot be opened, is no database of ours, or a newer version's.
        MissingDependencyError: If PostgreSQL's driver is not installed.
    """
    address = url if isinstance(url, Address) else Address.parse(url)
    engine = _postgresql(address.url) if address.path is None else _sqlite(address.path)
    try:
        with writing(engine) as connection:
            _bring_up_to_date(connection, address)
    except DBAPIError as error:
        engine.dispose()
        reason = str(error.orig).strip().split("\n", maxsplit=1)[0]
        raise StoreError(f"{address}: cannot open the store: {reason}") from None
    except BaseException:
        engine.dispose()
        raise
    return engine


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction that, on SQLite, holds the write lock from its beginning: no deadlock."""
    writer = engine.execution_options(orchestrate_writes=True)
    with writer.begin() as connection:
        yield connection


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A transaction that sees one state of the database and blocks no writer."""
    if engine.dialect.name == "postgresql":  # SQLite's transactions are all like this
        engine = engine.execution_options(isolation_level="REPEATABLE READ")
    with engine.begin() as connection:
        yield connection


def _sqlite(path: Path) -> Engine:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{path}: cannot open the store: {error.strerror}") from None
    url = URL.create("sqlite", database=str(path))
    engine = create_engine(url, connect_args={"timeout": _LOCK_WAIT_S})
    event.listen(engine, "connect", _configure)
    event.listen(engine, "begin", _begin)
    return engine


def _postgresql(url: str) -> Engine:
    require_psycopg()
    # A connection that the server has closed meanwhile is replaced before it is used.
    return create_engine(url.replace("postgresql:", "postgresql+psycopg:", 1), pool_pre_ping=True)


def _bring_up_to_date(connection: Connection, address: Address) -> None:
    from alembic.util import CommandError  # noqa: PLC0415 - a tenth of a second, for this alone

    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})")
    try:
        migrate(connection)
    except CommandError:
        raise StoreError(
            f"{address} was written by a newer orchestrate: upgrade sigopt-orchestrate"
        ) from None


def _configure(connection: sqlite3.Connection, _record: Any) -> None:
    configure(connection)


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("orchestrate_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
