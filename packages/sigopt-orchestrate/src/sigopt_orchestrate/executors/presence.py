"""What an executor finds when it looks for an attempt."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Exit:
    """How an attempt ended.

    Attributes:
        code: The command's exit status, negative for a signal; None if it could not be executed.
        ended_by: Why it was made to end: `stop`, `timeout`, `memory` (it had used it up) or `lease`
            (its leader was gone); `disk` if it ended by itself on a disk with no space left, and
            `server` if the server that it reports to was gone then; None if it just ended by
            itself.
        error: Why the command could not be executed.
    """

    code: int | None
    ended_by: str | None = None
    error: str | None = None


@dataclass(frozen=True)
class Starting:
    """It has been submitted and may start any moment; `reason` says what it waits for, if known."""

    reason: str | None = None


@dataclass(frozen=True)
class Running:
    """Its command runs."""


@dataclass(frozen=True)
class Ended:
    """It has ended and left a record."""

    exit: Exit


@dataclass(frozen=True)
class Absent:
    """It never started, and from now on never will; `reason` says why, if known."""

    reason: str | None = None


@dataclass(frozen=True)
class Lost:
    """It started and is gone without a record, for this reason; nothing of it runs any more."""

    reason: str = "its process was lost"


Presence = Starting | Running | Ended | Absent | Lost
