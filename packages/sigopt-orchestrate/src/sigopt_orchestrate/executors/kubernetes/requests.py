"""Requests to the cluster, made beside the run loop and again while their refusal may pass."""

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable

from sigopt_orchestrate.executors.kubernetes.cluster import ApiError

_log = logging.getLogger(__name__)

_RETRY_S = (0.5, 5.0)

Request = Callable[[], None]
Refused = Callable[[ApiError], bool]
"""Told of a refusal; returns whether the request is to be made again."""


def if_passing(error: ApiError) -> bool:
    """The usual `Refused`: makes a request again as long as its refusal may pass."""
    if not error.may_pass:
        _log.warning("the cluster refuses: %s", error.message)
    return error.may_pass


class Requests:
    """Threads that make requests in order of their due time.

    Args:
        threads: How many at a time.
    """

    def __init__(self, threads: int) -> None:
        self._ready = threading.Condition()
        self._queue: list[tuple[float, int, Request, Refused, float]] = []
        self._numbers = itertools.count()
        self._busy = 0
        self._closed = False
        self._threads = [
            threading.Thread(target=self._work, name="cluster requests", daemon=True)
            for _ in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def add(self, request: Request, refused: Refused, *, pause_s: float = 0.0) -> None:
        """Has a request made.

        Args:
            request: Makes it.
            refused: See `Refused`.
            pause_s: Not before so long from now.
        """
        self._put(time.monotonic() + pause_s, request, refused, _RETRY_S[0])

    def drain(self, seconds: float) -> bool:
        """Waits until nothing is left to do, at most so long; returns whether that came about."""

        def idle() -> bool:
            return self._closed or (not self._queue and not self._busy)

        with self._ready:
            return self._ready.wait_for(idle, seconds)

    def close(self) -> None:
        """Makes no further requests."""
        with self._ready:
            self._closed = True
            self._queue.clear()
            self._ready.notify_all()

    def _put(self, due: float, request: Request, refused: Refused, pause_s: float) -> None:
        with self._ready:
            heapq.heappush(self._queue, (due, next(self._numbers), request, refused, pause_s))
            self._ready.notify_all()

    def _work(self) -> None:
        while True:
            with self._ready:
                while not self._closed and not self._due():
                    self._ready.wait(self._queue[0][0] - time.monotonic() if self._queue else None)
                if self._closed:
                    return
                _, _, request, refused, pause_s = heapq.heappop(self._queue)
                self._busy += 1
            try:
                request()
            except ApiError as error:
                if refused(error):
                    self._put(
                        time.monotonic() + pause_s, request, refused, min(_RETRY_S[1], 2 * pause_s)
                    )
            except Exception:  # noqa: BLE001 - a thread that is lost would be missed by all
                _log.exception("a request to the cluster failed")
            finally:
                with self._ready:
                    self._busy -= 1
                    self._ready.notify_all()

    def _due(self) -> bool:
        return bool(self._queue) and self._queue[0][0] <= time.monotonic()
