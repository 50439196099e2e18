"""The leader's heartbeat, by which trials know that somebody cares for them."""

import time
from pathlib import Path


class Heartbeat:
    """Touches a file, often enough for those who look at it.

    Args:
        file: What is touched.
        patience_s: How long a trial outlives the last beat.
    """

    def __init__(self, file: Path, patience_s: float) -> None:
        self._file = file
        self._next = 0.0
        self.period_s = min(1.0, patience_s / 4)

    def beat(self) -> None:
        """Touches the file, if that is due."""
        now = time.monotonic()
        if now >= self._next:
            self._file.touch()
            self._next = now + self.period_s
