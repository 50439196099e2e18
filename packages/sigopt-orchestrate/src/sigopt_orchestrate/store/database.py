"""Opens a database by URL, SQLite or PostgreSQL, and brings it to the present schema."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from sigopt_orchestrate.errors import MissingDependencyError, StoreError

LOCK_WAIT_S = 60
"""How long a writer waits for another one."""
_MIGRATION_LOCK = 0x6F726368  # "orch": PostgreSQL's advisory lock while the schema changes


def open_database(url: str | Path) -> Engine:
    """Returns an engine on a database of the present schema; an empty one is filled.

    Args:
        url: `sqlite:///relative/path`, `sqlite:////absolute/path` or
            `postgresql://user@host/database`; a bare path is a SQLite file. The file is made where
            there is none.

    Raises:
        StoreError: If it cannot be opened, is no database of ours, or a newer version's.
        MissingDependencyError: If PostgreSQL's driver is not installed.
    """
    address = parse_url(url)
    shown = show_url(url)
    engine = _sqlite(address) if address.drivername == "sqlite" else _postgresql(address)
    try:
        with writing(engine) as connection:
            _bring_up_to_date(connection, shown)
    except DBAPIError as error:
        engine.dispose()
        reason = str(error.orig).strip().split("\n", maxsplit=1)[0]
        raise StoreError(f"{shown}: cannot open the store: {reason}") from None
    except BaseException:
        engine.dispose()
        raise
    return engine


def parse_url(url: str | Path) -> URL:
    """Returns the address that `url` names; see `open_database`."""
    if isinstance(url, Path) or "://" not in url:
        return URL.create("sqlite", database=str(url))
    try:
        address = make_url(url)
    except (ArgumentError, ValueError):
        address = URL.create("unreadable")
    kind = address.drivername.split("+")[0]
    if kind == "sqlite" and address.database:
        return address.set(drivername="sqlite")
    if kind in {"postgresql", "postgres"}:
        return address.set(drivername="postgresql+psycopg")
    raise StoreError(
        f"store {show_url(url)!r}: must be sqlite:///PATH or postgresql://USER@HOST/DATABASE"
    )


def show_url(url: str | Path) -> str:
    """Returns `url` without its password, fit for a message."""
    hidden = re.sub(r"(://[^:@/]*):[^@]*@", r"\1:***@", str(url))
    return re.sub(r"(password=)[^&\s]*", r"\1***", hidden)


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


def _sqlite(address: URL) -> Engine:
    path = Path(str(address.database))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{path}: cannot open the store: {error.strerror}") from None
    engine = create_engine(address, connect_args={"timeout": LOCK_WAIT_S})
    event.listen(engine, "connect", _configure)
    event.listen(engine, "begin", _begin)
    return engine


def _postgresql(address: URL) -> Engine:
    try:
        return create_engine(address, pool_pre_ping=True)
    except ImportError:
        raise MissingDependencyError("PostgreSQL", "psycopg", "postgresql") from None


def _bring_up_to_date(connection: Connection, shown: str) -> None:
    from alembic.util import CommandError  # noqa: PLC0415 - a tenth of a second, for this alone

    from sigopt_orchestrate.store.migrations import migrate  # noqa: PLC0415

    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})")
    try:
        migrate(connection)
    except CommandError:
        raise StoreError(
            f"{shown} was written by a newer orchestrate: upgrade sigopt-orchestrate"
        ) from None


def _configure(connection: sqlite3.Connection, _record: Any) -> None:
    connection.isolation_level = None  # BEGIN is ours, see _begin
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("orchestrate_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
