"""What `GossipDataParallel` may be asked for, checked before any work starts."""

from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from gossipgrad.errors import ConfigurationError
from gossipgrad.progress import DRIVERS

MODES = ("sync", "overlap", "async", "paper")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One rank's choices; `GossipDataParallel` says what they mean.

    Raises:
        ConfigurationError: a value is not allowed; the sentence names it and what is.
    """

    topology: str
    mode: str
    wire: str
    seed: int
    rotate: bool | None
    max_delay: int
    exchange_momentum: bool
    average_every: int
    bucket_mb: float
    driver: str
    silence_s: float | None

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise ConfigurationError(f"mode is {self.mode!r}; allowed: {', '.join(MODES)}")
        if self.max_delay < 1:
            raise ConfigurationError(f"max_delay is {self.max_delay}; it must be at least 1")
        if self.average_every < 0:
            raise ConfigurationError(
                f"average_every is {self.average_every}; it must be 0 (never) or more"
            )
        if not self.bucket_mb > 0:
            raise ConfigurationError(f"bucket_mb is {self.bucket_mb}; it must be above 0")
        if self.driver not in DRIVERS:
            raise ConfigurationError(f"driver is {self.driver!r}; allowed: {', '.join(DRIVERS)}")

    def shared(self) -> dict[str, Any]:
        """Returns what has to be the same on all ranks, by name."""
        return {
            "gossipgrad": version("gossipgrad"), "topology": self.topology, "mode": self.mode,
            "wire": self.wire, "seed": self.seed, "rotate": self.rotate,
            "bucket_mb": self.bucket_mb, "exchange_momentum": self.exchange_momentum,
            "average_every": self.average_every,
        }  # fmt: skip
