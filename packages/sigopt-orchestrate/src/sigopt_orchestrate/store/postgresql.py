"""PostgreSQL: a connection that comes back after it was lost, and locks that die with it."""

import contextlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, LiteralString, cast

from sigopt_orchestrate.errors import (
    LeadershipError,
    MissingDependencyError,
    StoreError,
    StoreUnavailableError,
)
from sigopt_orchestrate.store.address import Address

if TYPE_CHECKING:
    import psycopg

_LOCKS = 0x6F726368  # "orch": the first half of our advisory locks' keys; the other is the id
# A server that no longer answers is an error after some seconds, and not a hang.
_LIMITS = "-c lock_timeout=5s -c statement_timeout=20s"
_SOCKET: dict[str, Any] = {"connect_timeout": 5, "keepalives_idle": 10, "tcp_user_timeout": 20_000}


def require_psycopg() -> None:
    """Imports the driver.

    Raises:
        MissingDependencyError: If it is not installed.
    """
    try:
        import psycopg  # noqa: F401, PLC0415 - only those who share a store have it
    except ImportError:
        raise MissingDependencyError("PostgreSQL", "psycopg", "postgresql") from None


class PostgresqlConnection:
    """See `Connection`; opened anew, with the locks it held, after it was lost."""

    for_update = " FOR UPDATE"

    def __init__(self, address: Address) -> None:
        """Connects.

        Raises:
            StoreError: If the server cannot be reached or refuses.
        """
        require_psycopg()
        self._address = address
        self._connection: psycopg.Connection | None = None
        self._locks: set[int] = set()
        try:
            self._connected()
        except StoreUnavailableError as error:
            raise StoreError(f"{address}: cannot open the store: {error.reason}") from None

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> "psycopg.Cursor[Any]":
        """See `Connection.execute`."""
        with self._translating():
            return self._connected().execute(_positional(sql), parameters)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """See `Connection.writing`."""
        with self._transaction("BEGIN"):
            yield

    @contextmanager
    def reading(self) -> Iterator[None]:
        """See `Connection.reading`."""
        with self._transaction("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"):
            yield

    def version(self) -> str | None:
        """Returns the schema's version; None for a database that carries none."""
        row = None
        if self.execute("SELECT to_regclass('alembic_version')").fetchone() != (None,):
            row = self.execute("SELECT version_num FROM alembic_version").fetchone()
        return None if row is None else str(row[0])

    def try_lock(self, experiment_id: int) -> bool:
        """Takes an experiment's lock, which lasts as long as this connection."""
        taken = self._try_lock(experiment_id)
        if taken:
            self._locks.add(experiment_id)
        return taken

    def unlock(self, experiment_id: int) -> None:
        """Gives an experiment's lock back."""
        self._locks.discard(experiment_id)
        with contextlib.suppress(StoreUnavailableError):  # then it is gone already
            self.execute("SELECT pg_advisory_unlock(?, ?)", (_LOCKS, experiment_id))

    def is_locked(self, experiment_id: int) -> bool:
        """Returns whether any connection holds an experiment's lock."""
        found = self.execute(
            "SELECT 1 FROM pg_locks JOIN pg_database ON pg_database.oid = database"
            " WHERE locktype = 'advisory' AND granted AND datname = current_database()"
            " AND classid = ? AND objid = ?",
            (_LOCKS, experiment_id),
        )
        return found.fetchone() is not None

    def close(self) -> None:
        """See `Connection.close`."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connected(self) -> "psycopg.Connection":
        if self._connection is not None:
            return self._connection
        import psycopg  # noqa: PLC0415

        with self._translating():
            self._connection = psycopg.connect(
                self._address.url, autocommit=True, options=_LIMITS, **_SOCKET
            )
        for experiment_id in self._locks:
            if not self._try_lock(experiment_id):
                self.close()
                raise LeadershipError(
                    f"while the database could not be reached, another orchestrate has taken "
                    f"experiment {experiment_id} over"
                )
        return self._connection

    def _try_lock(self, experiment_id: int) -> bool:
        row = self.execute("SELECT pg_try_advisory_lock(?, ?)", (_LOCKS, experiment_id)).fetchone()
        return row == (True,)

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[None]:
        self.execute(begin)
        try:
            yield
            self.execute("COMMIT")
        except BaseException:
            if self._connection is not None:
                with contextlib.suppress(StoreUnavailableError):
                    self.execute("ROLLBACK")
            raise

    @contextmanager
    def _translating(self) -> Iterator[None]:
        import psycopg  # noqa: PLC0415

        try:
            yield
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            if self._connection is not None and self._connection.closed:
                self._connection = None
            reason = str(error).strip().split("\n", maxsplit=1)[0]
            raise StoreUnavailableError(str(self._address), reason) from error


@cache
def _positional(sql: str) -> LiteralString:
    """Psycopg's placeholders; every statement is one of ours, none is made of input."""
    return cast("LiteralString", sql.replace("?", "%s"))  # type: ignore[redundant-cast]
