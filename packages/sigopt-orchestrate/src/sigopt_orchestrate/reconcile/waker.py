"""How the leader sleeps, and what wakes it."""

import contextlib
import os
import select

from sigopt_orchestrate.reconcile.suggestions import Suggestions
from sigopt_orchestrate.store import ExperimentFolder


class Waker:
    """A FIFO that supervisors, `orchestrate stop` and signal handlers write lines into.

    A line may name the attempt that has ended; that is a hint of where to look, and no more.
    """

    def __init__(self, folder: ExperimentFolder) -> None:
        """Makes the FIFO in the experiment's folder, unless it is there already."""
        folder.root.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            os.mkfifo(folder.wake)
        self._fifo = os.open(folder.wake, os.O_RDWR | os.O_NONBLOCK)

    def wake(self) -> None:
        """Ends the present or the next `wait`; may be called from a signal handler."""
        with contextlib.suppress(OSError):
            os.write(self._fifo, b"\n")

    def wait(self, suggestions: Suggestions | None, seconds: float) -> set[tuple[int, int]]:
        """Sleeps until something happens, at most so long.

        Args:
            suggestions: Whose answer is waited for as well; None for nobody's.
            seconds: At most.

        Returns:
            The trial's number and the attempt's of all that have said that they have ended.
        """
        ready: list[int | Suggestions] = [self._fifo]
        if suggestions is not None:
            ready.append(suggestions)
        if self._fifo not in select.select(ready, [], [], max(0.0, seconds))[0]:
            return set()
        ended = set()
        for line in self._read().split():
            trial, _, attempt = line.partition(b"/")
            if trial.isdigit() and attempt.isdigit():
                ended.add((int(trial), int(attempt)))
        return ended

    def close(self) -> None:
        """Gives the descriptor back: a signal may come at any time, and its number be another's."""
        fifo, self._fifo = self._fifo, -1
        os.close(fifo)

    def _read(self) -> bytes:
        received = b""
        with contextlib.suppress(BlockingIOError):
            while chunk := os.read(self._fifo, 1 << 16):
                received += chunk
        return received
