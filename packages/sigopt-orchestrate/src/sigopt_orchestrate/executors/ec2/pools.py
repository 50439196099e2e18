"""Where there is capacity: a pool is an instance type in a subnet, bought in one market."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

DRY_S = 180.0
"""So long a pool that had no capacity is not asked again, as long as others may have some."""

NO_CAPACITY = {
    "InsufficientInstanceCapacity",
    "InsufficientHostCapacity",
    "InsufficientCapacity",
    "InsufficientInstanceCapacityException",
    "UnfulfillableCapacity",
    "Unsupported",  # the zone does not offer the type
    "SpotMaxPriceTooLow",
}
NO_QUOTA = {
    "MaxSpotInstanceCountExceeded",
    "VcpuLimitExceeded",
    "InstanceLimitExceeded",
    "MaxFleetCountExceeded",
}
_MARKETS = {
    None: ("on-demand",),
    "never": ("on-demand",),
    "prefer": ("spot", "on-demand"),
    "require": ("spot",),
}


@dataclass(frozen=True)
class Pool:
    """A type in a subnet, in a market (`spot` or `on-demand`)."""

    type: str
    subnet: str
    market: str


class Pools:
    """Remembers which pools had nothing lately."""

    def __init__(
        self,
        types: Sequence[str],
        subnets: Sequence[str],
        spot: str | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begins with all pools.

        Args:
            types: Instance types, the preferred ones first.
            subnets: Where.
            spot: `never`, `prefer` or `require`; None for never.
            clock: Seconds that only grow.
        """
        self._all = [Pool(t, s, m) for m in _MARKETS[spot] for t in types for s in subnets]
        self._clock = clock
        self._dry_until: dict[Pool, float] = {}

    def best(self) -> list[Pool]:
        """Returns the pools to ask now, all of one market; empty where all of them had nothing."""
        now = self._clock()
        there = [pool for pool in self._all if self._dry_until.get(pool, 0.0) <= now]
        return [pool for pool in there if pool.market == there[0].market]

    def wait_s(self) -> float:
        """Returns how long it takes until a pool may be asked again."""
        now = self._clock()
        return max(0.0, min(self._dry_until.get(pool, 0.0) for pool in self._all) - now)

    def take_note(self, errors: Iterable[dict[str, Any]], market: str) -> str | None:
        """Learns from the errors of a fleet; returns what is none of capacity's, if there is any.

        Args:
            errors: As CreateFleet returns them.
            market: Of the request.
        """
        now, serious = self._clock(), None
        for error in errors:
            code = error.get("ErrorCode", "")
            over = error.get("LaunchTemplateAndOverrides", {}).get("Overrides", {})
            if code in NO_QUOTA:
                self._dry(now, market)
            elif code in NO_CAPACITY:
                self._dry(now, market, over.get("InstanceType"), over.get("SubnetId"))
            else:
                serious = f"{code}: {error.get('ErrorMessage', '')}"
        return serious

    def all_dry(self, market: str) -> None:
        """Takes note that a whole market had nothing."""
        self._dry(self._clock(), market)

    def _dry(
        self, now: float, market: str, type_: str | None = None, subnet: str | None = None
    ) -> None:
        for pool in self._all:
            same = type_ in (None, pool.type) and subnet in (None, pool.subnet)
            if pool.market == market and same:
                self._dry_until[pool] = now + DRY_S
