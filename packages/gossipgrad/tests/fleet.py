"""Virtual ranks as threads: the real code over the simulated network."""

import threading
from collections.abc import Callable
from typing import Any

import torch

from gossipgrad.transports import SimulatedNetwork, SimulatedTransport

torch.optim.SGD([torch.zeros(1)], lr=0.1)  # the first one imports for seconds: not on a thread


def run_ranks(
    size: int, body: Callable[[SimulatedTransport], Any], network: SimulatedNetwork | None = None
) -> list[Any]:
    """Calls `body(transport)` on a thread a rank and returns the results in rank order.

    The first exception of any rank is raised here; a rank that hangs fails the test.
    """
    network = network or SimulatedNetwork(size)
    results: list[Any] = [None] * size
    errors: list[BaseException] = []

    def work(rank: int) -> None:
        try:
            results[rank] = body(network.transport(rank))
        except BaseException as error:  # noqa: BLE001 - raised in the test's thread
            errors.append(error)

    threads = [threading.Thread(target=work, args=(rank,), daemon=True) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        if errors:
            raise errors[0]
        assert not thread.is_alive(), "a rank hangs"
    if errors:
        raise errors[0]
    return results
