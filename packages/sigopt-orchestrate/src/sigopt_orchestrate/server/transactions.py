"""Transactions off the event loop: readers side by side, writers in groups that share a commit.

A commit costs one `fsync`, however much it holds. So one thread writes, and whatever has arrived
while it waited for the disk goes into its next transaction, each piece of work in a savepoint of
its own: one that fails takes nobody along. An answer is given only after the commit.
"""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    IntegrityError,
    InterfaceError,
    InternalError,
    OperationalError,
)

from sigopt_orchestrate.server.errors import ConflictError, InvalidError, UnavailableError
from sigopt_orchestrate.store.database import reading, writing

_T = TypeVar("_T")
_Work = Callable[[Connection], Any]
_Job = tuple[_Work, "Future[Any]"]
_READERS = 4
_GROUP = 128
_log = logging.getLogger(__name__)


class Transactions:
    """Runs work in transactions of `engine`.

    Raises:
        UnavailableError: From `read` and `write`, if the database is full, locked or out of reach;
            nothing of the work is stored then.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._readers = ThreadPoolExecutor(_READERS, "reader")
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._writer = Thread(target=self._write_all, name="writer", daemon=True)
        self._writer.start()

    @property
    def waiting(self) -> int:
        """How many pieces of work wait for the writer."""
        return self._jobs.qsize()

    async def read(self, work: Callable[[Connection], _T]) -> _T:
        """Returns what `work` returns in a transaction that sees one state of the database."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._readers, self._read, work)

    async def write(self, work: Callable[[Connection], _T]) -> _T:
        """Returns what `work` returns, once everything it wrote is on disk."""
        future: Future[_T] = Future()
        self._jobs.put((work, future))
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """Carries out what has been handed in, and ends the threads."""
        self._jobs.put(None)
        self._writer.join()
        self._readers.shutdown()

    def _read(self, work: Callable[[Connection], _T]) -> _T:
        try:
            with reading(self._engine) as connection:
                return work(connection)
        except DBAPIError as error:
            raise _unavailable(error) from error

    def _write_all(self) -> None:
        while (job := self._jobs.get()) is not None:
            group = [job]
            last = False
            while len(group) < _GROUP and not last:
                try:
                    following = self._jobs.get_nowait()
                except Empty:
                    break
                last = following is None
                group += [following] if following is not None else []
            self._commit(group)
            if last:
                return

    def _commit(self, group: list[_Job]) -> None:
        done: list[tuple[Future[Any], Any, Exception | None]] = []
        try:
            with writing(self._engine) as connection:
                for work, future in group:
                    result, refused = _in_savepoint(connection, work)
                    done.append((future, result, refused))
        except Exception as error:  # noqa: BLE001 - whatever it is, everyone in the group waits
            _log.warning("a group of %d writes was rolled back", len(group), exc_info=True)
            # Savepoints are the driver's own business, and so are its errors there.
            lost = isinstance(error, DBAPIError | self._engine.dialect.loaded_dbapi.Error)
            failure = _unavailable(error) if lost else error
            done = [(future, None, failure) for _, future in group]
        for future, result, refused in done:
            if refused is None:
                future.set_result(result)
            else:
                future.set_exception(refused)


def _in_savepoint(connection: Connection, work: _Work) -> tuple[Any, Exception | None]:
    driver: Any = connection.connection.driver_connection
    driver.execute("SAVEPOINT piece")
    try:
        result = work(connection)
    except Exception as error:
        if isinstance(error, OperationalError | InterfaceError | InternalError):
            raise  # the transaction itself is lost
        driver.execute("ROLLBACK TO SAVEPOINT piece")
        driver.execute("RELEASE SAVEPOINT piece")
        if isinstance(error, IntegrityError):
            return None, ConflictError("the object exists already, or was changed meanwhile")
        if isinstance(error, DataError):
            return None, InvalidError("a value is beyond what the store can keep")
        return None, error
    driver.execute("RELEASE SAVEPOINT piece")
    return result, None


def _unavailable(error: Exception) -> UnavailableError:
    reason = str(getattr(error, "orig", error)).strip().partition("\n")[0]
    return UnavailableError(f"the store cannot be used now, try again: {reason}")
