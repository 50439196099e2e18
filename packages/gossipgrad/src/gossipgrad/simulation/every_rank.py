"""The partners of all ranks at once: what `schedules` says to one rank, as arrays over p of them.

A schedule is asked by one rank, which needs O(1) memory; a simulation of 2^20 ranks asks for all,
and would wait minutes for a million calls. Tests hold both to the same answers.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from gossipgrad.schedules import Permutation, Schedule, make_schedule

Ranks = NDArray[np.int64]
Shares = NDArray[np.float64]


class EveryRank:
    """Sources and shares of all ranks of one schedule.

    Args:
        topology: One of `schedules.TOPOLOGIES`.
        ranks: Number of ranks p.
        seed: Chooses the rotations.
        rotate: Whether partners rotate; None is the topology's own default.

    Raises:
        ConfigurationError: Unknown topology, or one that does not fit p.
    """

    def __init__(
        self, topology: str, ranks: int, seed: int = 0, *, rotate: bool | None = None
    ) -> None:
        self.schedule: Schedule = make_schedule(topology, ranks, seed, rotate=rotate)
        self._seed = seed
        self._rotate = topology != "ring" if rotate is None else rotate
        self._place = _PLACES["dissemination" if topology == "auto" else topology]

    def __call__(self, step: int) -> tuple[Ranks, Shares]:
        """Returns the rank that each receives from, (p,), and the share that each gives, (p,)."""
        size = self.schedule.size
        ranks = np.arange(size)
        if size == 1:
            return ranks, np.zeros(1)
        sweep, position = divmod(step, self.schedule.sweep)
        sources, shares = self._place(size, position)
        if not self._rotate:
            return sources, shares
        labels = Permutation(size, self._seed, sweep).of(ranks)
        holders = np.empty_like(ranks)
        holders[labels] = ranks
        return holders[sources[labels]], shares[labels]

    def sources(self, step: int) -> Ranks:
        """Returns the rank that each receives from at `step`, (p,)."""
        return self(step)[0]


def _dissemination(size: int, position: int) -> tuple[Ranks, Shares]:
    return (np.arange(size) - (1 << position)) % size, np.full(size, 0.5)


def _hypercube(size: int, position: int) -> tuple[Ranks, Shares]:
    return np.arange(size) ^ (1 << position), np.full(size, 0.5)


def _ring(size: int, position: int) -> tuple[Ranks, Shares]:
    del position
    return (np.arange(size) - 1) % size, np.full(size, 0.5)


def _exact(size: int, position: int) -> tuple[Ranks, Shares]:
    """Returns the partners of `schedules.Exact`, one block of a power of two after the other."""
    sources, shares = np.arange(size), np.zeros(size)
    first, clock = 0, position
    while (left := size - first) > 0:
        depth = left.bit_length() - 1
        block = 1 << depth
        rest = left - block
        inside = np.arange(block)
        if rest and clock == depth:  # block and rest meet
            met = np.arange(first, first + rest)
            sources[met], sources[met + block] = met + block, met
            shares[met] = shares[met + block] = block / left
            break
        turn = clock - depth - 1 if rest and clock > depth else clock
        if turn < depth:
            sources[first : first + block] = first + (inside ^ (1 << turn))
            shares[first : first + block] = 0.5
        clock -= clock > depth
        first += block
    return sources, shares


_PLACES: dict[str, Callable[[int, int], tuple[Ranks, Shares]]] = {
    "dissemination": _dissemination,
    "hypercube": _hypercube,
    "ring": _ring,
    "random": _ring,
    "exact": _exact,
}
