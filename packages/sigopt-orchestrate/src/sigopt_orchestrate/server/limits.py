"""How often a caller may call: a bucket of tokens for each key, refilled at a steady rate."""

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

from sigopt_orchestrate.server.errors import RateLimitError

_K = TypeVar("_K")
_BUCKETS = 10_000


class RateLimit(Generic[_K]):
    """Allows `per_second` calls a second for each key, and two seconds' worth at once.

    Args:
        per_second: The steady rate; 0 sets no limit.
        clock: Seconds, never going back.
    """

    def __init__(self, per_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = per_second
        self._burst = max(1.0, 2 * per_second)
        self._clock = clock
        self._buckets: OrderedDict[_K, tuple[float, float]] = OrderedDict()  # filled to, at

    def spend(self, key: _K) -> None:
        """Counts one call.

        Raises:
            RateLimitError: If the key has used up its calls for now.
        """
        level = self._level(key)
        if level < 1:
            raise RateLimitError(f"more than {self._rate:g} requests a second; try again later")
        if self._rate:
            self._buckets[key] = (level - 1, self._clock())
            self._buckets.move_to_end(key)
            if len(self._buckets) > _BUCKETS:  # the longest unused one is full again by now
                self._buckets.popitem(last=False)

    def _level(self, key: _K) -> float:
        if not self._rate or key not in self._buckets:
            return self._burst
        level, at = self._buckets[key]
        return min(self._burst, level + (self._clock() - at) * self._rate)
