"""What a leader remembers of the attempts that it has to do with."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

_NEVER_RUN_S = 4.0
_BARE_S = (5.0, 20.0, 80.0)


@dataclass
class Task:
    """What this leader has done about one attempt.

    Attributes:
        name: What the attempt's objects are called.
        submitted: Whether this leader has asked for its objects.
        adopted: Whether it has looked if an earlier leader created them all.
        created_at: When all its objects had been created, on the monotonic clock.
        waits_for: Why they are not there yet.
        refused: Why they never will be.
        cancelled: Whether they must no longer be created.
        ours: Whether we have asked for its end.
        killed_at: When we have asked for its end without grace, on the monotonic clock.
        started: Whether a gang has been told to begin.
        stop_said: Whether it has been told that it may end early.
        over_since: When its end was first seen, while its log is awaited.
        going_since: Since when pods that have never run are to be gone, on the monotonic clock.
        bare_since: Since when its Job has no pods and nobody has been asked why, likewise.
        asked: How often somebody has.
        place: What `place.json` holds.
    """

    name: str
    submitted: bool = False
    adopted: bool = False
    created_at: float | None = None
    waits_for: str | None = None
    refused: str | None = None
    cancelled: bool = False
    ours: bool = False
    killed_at: float | None = None
    started: bool = False
    stop_said: bool = False
    over_since: float | None = None
    going_since: float | None = None
    bare_since: float | None = None
    asked: int = 0
    place: dict[str, Any] = field(default_factory=dict)

    def lingers(self, *, going: bool) -> bool:
        """Whether pods that have never run are to be gone, and have been for too long.

        Args:
            going: Whether there are such pods.
        """
        if not going:
            self.going_since = None
            return False
        self.going_since, late = _waited(self.going_since, _NEVER_RUN_S)
        return late

    def is_puzzling(self) -> bool:
        """Whether its Job has had no pods for so long that the cluster is to be asked why."""
        patience_s = _BARE_S[min(self.asked, len(_BARE_S) - 1)]
        self.bare_since, late = _waited(self.bare_since, patience_s)
        self.asked += late
        return late

    def ask_why(self, complaint: Callable[[str], str | None]) -> None:
        """Learns from the cluster why its Job has no pods, if that says so.

        Args:
            complaint: Asks it.
        """
        self.waits_for = complaint(self.name)


def _waited(since: float | None, patience_s: float) -> tuple[float, bool]:
    """Returns since when something is waited for, and whether too long; then it begins anew."""
    now = time.monotonic()
    since = now if since is None else since
    late = now - since > patience_s
    return (now if late else since), late
