"""The hot path to the database: hand-written SQL on one connection, prepared once.

Each step of a trial is a few statements. SQLAlchemy, which keeps the schema, would take ten times
the CPU of SQLite itself for them, and importing it half of the command line's start.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from sigopt_orchestrate.store.address import Address
from sigopt_orchestrate.store.migrations import newest
from sigopt_orchestrate.store.postgresql import PostgresqlConnection
from sigopt_orchestrate.store.sqlite import SqliteConnection


class Cursor(Protocol):
    """The result of a statement, as both drivers give it."""

    @property
    def rowcount(self) -> int:
        """How many rows an update has changed."""

    def fetchone(self) -> Any:
        """Returns the next row, or None."""

    def fetchall(self) -> list[Any]:
        """Returns the rows that are left."""

    def __iter__(self) -> Iterator[Any]:
        """Yields the rows that are left."""


class Connection(Protocol):
    """One connection to either database; to be used by one thread.

    Raises:
        StoreUnavailableError: From every method, if the database cannot be reached, is locked or
            has no space left. Nothing of the transaction is stored then, unless it is the answer
            to the commit that was lost.
    """

    @property
    def for_update(self) -> str:
        """Ends a SELECT whose rows nobody else may change before the transaction ends."""

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> Cursor:
        """Executes one statement, in which `?` stands for a parameter."""

    def writing(self) -> AbstractContextManager[None]:
        """A transaction that changes something: whole and on disk once it is left, or nothing."""

    def reading(self) -> AbstractContextManager[None]:
        """A transaction that sees one state of the database and blocks no writer."""

    def close(self) -> None:
        """Gives the connection back."""


def connect(address: Address) -> SqliteConnection | PostgresqlConnection:
    """Returns a connection to a database of the present schema; an empty one is filled.

    Raises:
        StoreError: See `open_database`.
    """
    connection = (
        PostgresqlConnection(address) if address.path is None else SqliteConnection(address.path)
    )
    try:
        if connection.version() != newest():
            _migrate(address)
    except BaseException:
        connection.close()
        raise
    return connection


def _migrate(address: Address) -> None:
    from sigopt_orchestrate.store.database import open_database  # noqa: PLC0415, SQLAlchemy

    open_database(address).dispose()
