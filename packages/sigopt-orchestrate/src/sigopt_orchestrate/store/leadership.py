"""One leader per experiment: a lock that dies with its process, and an epoch that fences."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from sigopt_orchestrate.errors import LeadershipError
from sigopt_orchestrate.store.ledger import Ledger
from sigopt_orchestrate.store.locks import is_locked, try_lock
from sigopt_orchestrate.store.store import Store

# `has_leader` holds the lock for an instant to see whether it is free; a new leader outwaits that.
_PATIENCE_S = 0.5


@contextmanager
def lead(store: Store, experiment_id: int) -> Iterator[Ledger]:
    """Makes this process the experiment's leader for as long as the context lasts.

    The kernel releases the lock whenever the process ends, SIGKILL included, so nobody ever waits
    for a dead leader.

    Raises:
        LeadershipError: If another process leads the experiment.
    """
    path = store.home.experiment(experiment_id).lock
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        deadline = time.monotonic() + _PATIENCE_S
        while not try_lock(lock):
            if time.monotonic() > deadline:
                raise LeadershipError(
                    f"experiment {experiment_id} is already run by another orchestrate"
                )
            time.sleep(0.01)
        yield Ledger(store, experiment_id)
    finally:
        os.close(lock)


def has_leader(store: Store, experiment_id: int) -> bool:
    """Returns whether some process leads the experiment now."""
    return is_locked(store.home.experiment(experiment_id).lock)
