"""SQLite in WAL mode: every commit on disk before it counts, readers and writers side by side."""

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sigopt_orchestrate.errors import StoreError, StoreUnavailableError

LOCK_WAIT_S = 2
"""How long a statement waits for another writer before it says so."""

_SWITCH_S = 10.0

# What may pass: busy, locked, out of memory, read-only, I/O error, full, cannot open.
_PASSING = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
}


def configure(connection: sqlite3.Connection) -> None:
    """Makes every commit durable: it returns after the log has been flushed to the disk."""
    connection.isolation_level = None  # BEGIN is ours
    _switch_to_wal(connection)
    for pragma in ("synchronous = FULL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}").close()


def _switch_to_wal(connection: sqlite3.Connection) -> None:
    """Two that switch a new file at the same time refuse each other, and wait for no timeout."""
    deadline = time.monotonic() + _SWITCH_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL").close()
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if not busy or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


class SqliteConnection:
    """See `Connection`."""

    for_update = ""  # a writing transaction is alone

    def __init__(self, path: Path, wait_s: float = LOCK_WAIT_S) -> None:
        """Opens the file at `path`, which is made when it does not exist.

        Raises:
            StoreError: If it cannot be opened or is no database.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(path, timeout=wait_s, cached_statements=256)
            configure(self._connection)
        except OSError as error:
            raise StoreError(f"{path}: cannot open the store: {error.strerror}") from None
        except sqlite3.DatabaseError as error:
            raise StoreError(f"{path}: cannot open the store: {error}") from None
        self._path = path

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> sqlite3.Cursor:
        """See `Connection.execute`."""
        try:
            return self._connection.execute(sql, parameters)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF not in _PASSING:
                raise
            raise StoreUnavailableError(str(self._path), str(error)) from error

    @contextmanager
    def writing(self) -> Iterator[None]:
        """See `Connection.writing`; holds the write lock from its beginning: no deadlock."""
        self.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.execute("COMMIT")
        except BaseException:
            self._roll_back()
            raise

    @contextmanager
    def reading(self) -> Iterator[None]:
        """See `Connection.reading`."""
        self.execute("BEGIN")
        try:
            yield
        finally:
            self._roll_back()

    def version(self) -> str | None:
        """Returns the schema's version; None for a database that carries none."""
        row = None
        if self.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchone():
            row = self.execute("SELECT version_num FROM alembic_version").fetchone()
        return None if row is None else str(row[0])

    def close(self) -> None:
        """See `Connection.close`."""
        self._connection.close()

    def _roll_back(self) -> None:
        if self._connection.in_transaction:  # an error may have ended it already
            self._connection.rollback()
