"""What a schedule says to one rank at one step."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Turn:
    """One rank's part in one step's exchange.

    Attributes:
        destination: the rank that is sent to; the rank itself means that it sits this step out.
        source: the rank that is received from.
        share: the fraction of the own mass that travels, in (0, 1).
    """

    destination: int
    source: int
    share: float = 0.5


class Schedule(Protocol):
    """Who exchanges with whom: a pure function of (rank, step), the same on every rank.

    Attributes:
        size: number of ranks.
        sweep: number of steps after which every rank has heard, directly or not, of every other.
    """

    @property
    def size(self) -> int:
        """Number of ranks."""
        ...

    @property
    def sweep(self) -> int:
        """Steps after which information from every rank has reached every rank."""
        ...

    def turn(self, rank: int, step: int) -> Turn:
        """Returns the part of `rank` at `step`; all ranks' destinations are a permutation."""
        ...
