"""The leader's heartbeat, by which trials know that somebody cares for them."""

import logging
import shutil
import time
from pathlib import Path

_log = logging.getLogger(__name__)

_ROOM = 1 << 16  # with less on the disk, the record of a trial's end may not find any


class Heartbeat:
    """Touches a file, often enough for those who look at it, and says when the disk is full.

    Nobody else would: supervisors wait in silence for room to write how their trials have ended.

    Args:
        file: What is touched.
        patience_s: How long a trial outlives the last beat.
    """

    def __init__(self, file: Path, patience_s: float) -> None:
        self._file = file
        self._next = 0.0
        self._full = False
        self.beat_s = min(1.0, patience_s / 4)

    def beat(self) -> None:
        """Touches the file, if that is due."""
        now = time.monotonic()
        if now >= self._next:
            self._file.touch()
            self._next = now + self.beat_s
            self._look_at_disk()

    def _look_at_disk(self) -> None:
        folder = self._file.parent
        full = shutil.disk_usage(folder).free < _ROOM
        if full and not self._full:
            _log.warning("the disk is full: %s; trials wait until there is room", folder)
        self._full = full
