"""Continual learning that grows by Bayesian optimisation and forgets nothing.

Names are imported when first used, so that the command line's help needs no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bocl.errors import BOCLError
    from bocl.growth import Growth
    from bocl.learner import BOCL
    from bocl.metrics import Metrics, measure
    from bocl.settings import Settings
    from bocl.streams.registry import make_stream
    from bocl.streams.samples import Samples, Stream, Task

__all__ = [
    "BOCL",
    "BOCLError",
    "Growth",
    "Metrics",
    "Samples",
    "Settings",
    "Stream",
    "Task",
    "make_stream",
    "measure",
]

_HOMES = {
    "BOCL": "bocl.learner",
    "BOCLError": "bocl.errors",
    "Growth": "bocl.growth",
    "Metrics": "bocl.metrics",
    "Samples": "bocl.streams.samples",
    "Settings": "bocl.settings",
    "Stream": "bocl.streams.samples",
    "Task": "bocl.streams.samples",
    "make_stream": "bocl.streams.registry",
    "measure": "bocl.metrics",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'bocl' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
