"""GossipGraD: data-parallel SGD whose communication does not grow with the number of ranks."""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gossipgrad.data_parallel import GossipDataParallel
    from gossipgrad.errors import GossipError
    from gossipgrad.metrics import StepLog
    from gossipgrad.sampling import GossipDataLoader, GossipSampler

_ROOMS = {
    "GossipDataLoader": "sampling",
    "GossipDataParallel": "data_parallel",
    "GossipError": "errors",
    "GossipSampler": "sampling",
    "StepLog": "metrics",
}
__all__ = ["GossipDataLoader", "GossipDataParallel", "GossipError", "GossipSampler", "StepLog"]
__version__ = version("gossipgrad")


def __getattr__(name: str) -> Any:
    """Imports a public name when it is first asked for: torch takes seconds."""
    if name not in _ROOMS:
        raise AttributeError(f"module 'gossipgrad' has no attribute {name!r}")
    return getattr(import_module(f"gossipgrad.{_ROOMS[name]}"), name)
