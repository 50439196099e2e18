"""What `GossipDataParallel` may be asked for, checked before any work starts."""

from gossipgrad.errors import ConfigurationError
from gossipgrad.progress import DRIVERS

MODES = ("sync", "overlap", "async", "paper")


def check(mode: str, max_delay: int, average_every: int, bucket_mb: float, driver: str) -> None:
    """Raises ConfigurationError, naming the argument, if a value is not allowed."""
    if mode not in MODES:
        raise ConfigurationError(f"mode is {mode!r}; allowed: {', '.join(MODES)}")
    if max_delay < 1:
        raise ConfigurationError(f"max_delay is {max_delay}; it must be at least 1")
    if average_every < 0:
        raise ConfigurationError(f"average_every is {average_every}; it must be 0 (never) or more")
    if not bucket_mb > 0:
        raise ConfigurationError(f"bucket_mb is {bucket_mb}; it must be above 0")
    if driver not in DRIVERS:
        raise ConfigurationError(f"driver is {driver!r}; allowed: {', '.join(DRIVERS)}")
