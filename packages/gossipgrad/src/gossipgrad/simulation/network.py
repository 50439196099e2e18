"""The alpha-beta model of a network, and the networks whose figures are published."""

import math
from dataclasses import dataclass

from gossipgrad.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Network:
    """A full-duplex link per rank: a message of n bytes takes `latency_s + n * seconds_per_byte`.

    Attributes:
        name: What reports call it.
        latency_s: Alpha, the seconds a message takes before its first byte arrives.
        seconds_per_byte: Beta, the inverse of a link's bandwidth in one direction.
    """

    name: str
    latency_s: float
    seconds_per_byte: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.latency_s) and self.latency_s >= 0):
            raise ConfigurationError(
                f"latency is {self.latency_s} s; allowed: zero or a positive number of seconds"
            )
        if not (math.isfinite(self.seconds_per_byte) and self.seconds_per_byte > 0):
            raise ConfigurationError(
                f"seconds per byte is {self.seconds_per_byte}; allowed: a positive number"
            )

    def message_s(self, size: float) -> float:
        """Returns the seconds that one message of `size` bytes takes."""
        return self.latency_s + size * self.seconds_per_byte


NETWORKS = {
    "infiniband": Network("infiniband", 2e-6, 1 / 12.5e9),  # EDR, as Aries: the paper's machines
    # Of a gigabit, TCP leaves 119 MB/s to the payload.
    "ethernet-10g": Network("ethernet-10g", 50e-6, 1 / 1.19e9),
    "ethernet-1g": Network("ethernet-1g", 1e-3, 1 / 119e6),
    "wan": Network("wan", 50e-3, 1 / 12.5e6),
}
