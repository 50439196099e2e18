"""Opens the database: SQLite in WAL mode, every commit on disk before it counts."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DatabaseError

from sigopt_orchestrate.errors import StoreError
from sigopt_orchestrate.store import schema


def open_database(path: Path) -> Engine:
    """Returns an engine on the SQLite file at `path`, which is made when it does not exist.

    Raises:
        StoreError: If the file is no database of ours, or a newer version's.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": 60})
        event.listen(engine, "connect", _configure)
        event.listen(engine, "begin", _begin)
        with writing(engine) as connection:
            found = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
            if found > schema.VERSION:
                raise StoreError(
                    f"{path} was written by a newer orchestrate (schema {found}, "
                    f"this one knows {schema.VERSION}): upgrade sigopt-orchestrate"
                )
            if found < schema.VERSION:
                schema.metadata.create_all(connection)
                connection.exec_driver_sql(f"PRAGMA user_version = {schema.VERSION}")
    except OSError as error:
        raise StoreError(f"{path}: cannot open the store: {error.strerror}") from None
    except DatabaseError as error:
        raise StoreError(f"{path}: cannot open the store: {error.orig}") from None
    return engine


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction that holds the write lock from its beginning, so that it never deadlocks."""
    writer = engine.execution_options(orchestrate_writes=True)
    with writer.begin() as connection:
        yield connection


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A transaction that sees one state of the database and blocks no writer."""
    with engine.begin() as connection:
        yield connection


def _configure(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # BEGIN is ours, see _begin
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("orchestrate_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
