"""Who exchanges with whom at which step."""

from gossipgrad.errors import ConfigurationError
from gossipgrad.schedules.living import LiveTurn, live_turn
from gossipgrad.schedules.permutation import Permutation
from gossipgrad.schedules.topologies import Dissemination, Exact, Hypercube, RandomCycle, Ring
from gossipgrad.schedules.turn import Schedule, Turn

TOPOLOGIES = ("auto", "dissemination", "hypercube", "ring", "random", "exact")
__all__ = [
    "TOPOLOGIES",
    "Dissemination",
    "Exact",
    "Hypercube",
    "LiveTurn",
    "Permutation",
    "RandomCycle",
    "Ring",
    "Schedule",
    "Turn",
    "live_turn",
    "make_schedule",
]


def make_schedule(
    topology: str, size: int, seed: int = 0, *, rotate: bool | None = None
) -> Schedule:
    """Returns the schedule of a topology.

    Args:
        topology: one of `TOPOLOGIES`; "auto" is dissemination.
        size: number of ranks, at least 1; a power of two for "hypercube".
        seed: the same on all ranks; chooses the rotations.
        rotate: whether partners rotate; None is the topology's own default (ring: no, else yes).

    Raises:
        ConfigurationError: unknown topology, or one that does not fit `size`.
    """
    kinds = {
        "auto": Dissemination,
        "dissemination": Dissemination,
        "hypercube": Hypercube,
        "ring": Ring,
        "random": RandomCycle,
        "exact": Exact,
    }
    if topology not in kinds:
        raise ConfigurationError(f"topology is {topology!r}; allowed: {', '.join(TOPOLOGIES)}")
    if size < 1:
        raise ConfigurationError(f"size is {size}; a schedule needs at least 1 rank")
    if topology == "hypercube" and size & (size - 1):
        raise ConfigurationError(
            f"topology is 'hypercube' with {size} ranks; it needs a power of two: "
            "choose 'dissemination' or 'exact', which take any number"
        )
    kind = kinds[topology]
    return kind(size, seed) if rotate is None else kind(size, seed, rotate=rotate)
