"""The seam between the run loop and whatever runs trials."""

from collections.abc import Collection, Mapping
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
        secrets: Variables of that environment whose values must not stay in the log.
        directory: The working directory.
        timeouts: See `spec.Timeouts`.
        memory: The bytes that all its processes together may use; None for no limit.
    """

    argv: list[str]
    env: Mapping[str, str]
    directory: Path
    timeouts: Timeouts
    memory: int | None = None
    secrets: tuple[str, ...] = ()


class Executor(Protocol):
    """Runs attempts. Every method may be called again for the same attempt, by any leader."""

    def submit(self, attempt: Attempt, work: Work) -> None:
        """Starts the attempt; the intent to do so must have been stored before."""

    def find(self, attempt: Attempt) -> Presence:
        """Looks for the attempt, whoever submitted it."""

    def end(self, attempt: Attempt) -> None:
        """Asks an attempt to end, or never to start; how it ended is found later."""

    def kill(self, attempt: Attempt) -> None:
        """Ends what does not answer `end`, with all it started; it is found lost later."""

    def retain(self, tokens: Collection[str]) -> None:
        """Gives back what is left of all attempts but these; called after every look around."""

    def close(self) -> None:
        """Gives back what was needed to start attempts; those that run live on."""
