"""What a leader remembers of the attempts that it has to do with."""

from dataclasses import dataclass, field
from typing import Any


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
    place: dict[str, Any] = field(default_factory=dict)
