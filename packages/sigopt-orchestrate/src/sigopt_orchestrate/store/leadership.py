"""One leader per experiment: a lock that dies with its process, and an epoch that fences."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sigopt_orchestrate.errors import LeadershipError
from sigopt_orchestrate.store.ledger import Ledger
from sigopt_orchestrate.store.locks import is_locked, try_lock
from sigopt_orchestrate.store.postgresql import PostgresqlConnection
from sigopt_orchestrate.store.store import Store

# `has_leader` holds a file's lock for an instant to see whether it is free, and PostgreSQL takes
# one to notice that a process is gone; a new leader outwaits both.
_PATIENCE_S = 0.5


@contextmanager
def lead(store: Store, experiment_id: int) -> Iterator[Ledger]:
    """Makes this process the experiment's leader for as long as the context lasts.

    The lock is a file's beside SQLite, which only processes of one machine share, and an advisory
    one in PostgreSQL. The kernel or the server releases it whenever the process ends, SIGKILL
    included, so nobody ever waits for a dead leader.

    Raises:
        LeadershipError: If another process leads the experiment.
    """
    store.home.experiment(experiment_id).root.mkdir(parents=True, exist_ok=True)
    taking = _advisory if isinstance(store.connection, PostgresqlConnection) else _file
    with taking(store, experiment_id):
        yield Ledger(store, experiment_id)


def has_leader(store: Store, experiment_id: int) -> bool:
    """Returns whether some process leads the experiment now."""
    if isinstance(store.connection, PostgresqlConnection):
        return store.connection.is_locked(experiment_id)
    return is_locked(store.home.experiment(experiment_id).lock)


@contextmanager
def _file(store: Store, experiment_id: int) -> Iterator[None]:
    path = store.home.experiment(experiment_id).lock
    lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        _retry(experiment_id, lambda: try_lock(lock))
        yield
    finally:
        os.close(lock)


@contextmanager
def _advisory(store: Store, experiment_id: int) -> Iterator[None]:
    connection = store.connection
    assert isinstance(connection, PostgresqlConnection)  # noqa: S101 - see lead
    _retry(experiment_id, lambda: connection.try_lock(experiment_id))
    try:
        yield
    finally:
        connection.unlock(experiment_id)


def _retry(experiment_id: int, take: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not take():
        if time.monotonic() > deadline:
            raise LeadershipError(
                f"experiment {experiment_id} is already run by another orchestrate"
            )
        time.sleep(0.01)
