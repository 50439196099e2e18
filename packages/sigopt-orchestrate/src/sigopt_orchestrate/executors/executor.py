"""The seam between the run loop and whatever runs trials."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sigopt_orchestrate.executors.presence import Presence
from sigopt_orchestrate.spec import Timeouts
from sigopt_orchestrate.store import AttemptFolder


@dataclass(frozen=True)
class Attempt:
    """One attempt of a trial, as an executor knows it.

    Attributes:
        token: Unique; every process of the attempt carries it as `$ORCHESTRATE_ATTEMPT`.
        folder: Where its files lie.
    """

    token: str
    folder: AttemptFolder


@dataclass(frozen=True)
class Work:
    """What one attempt executes.

    Attributes:
        argv: The program and its arguments.
        env: Set on top of the leader's own environment.
        directory: The working directory.
        timeouts: See `spec.Timeouts`.
    """

    argv: list[str]
    env: Mapping[str, str]
    directory: Path
    timeouts: Timeouts


class Executor(Protocol):
    """Runs attempts. Every method may be called again for the same attempt, by any leader."""

    def submit(self, attempt: Attempt, work: Work) -> None:
        """Starts the attempt; the intent to do so must have been stored before."""

    def find(self, attempt: Attempt) -> Presence:
        """Looks for the attempt, whoever submitted it."""

    def end(self, attempt: Attempt) -> None:
        """Asks a running attempt to end; how it ended is found later."""
