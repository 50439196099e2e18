"""Beside one attempt from before its start to after its end: its checkpoint and its output."""

from __future__ import annotations

import threading
from typing import Callable  # noqa: UP035 - the image may have Python 3.8

from sigopt_orchestrate.artifacts.courier.files import (
    ChangedError,
    GaveUpError,
    Look,
    RefusedError,
    look,
    sources,
)
from sigopt_orchestrate.artifacts.courier.transfer import Ask, Courier

_LOOK_S = 0.1
_SETTLED_S = 1.0  # so long nobody may have written to a checkpoint that is to be kept
_TRIES = 3


class Carrier:
    """Works in a thread of its caller's.

    Args:
        ask: See `transfer.Ask`.
        checkpoint: The folder that the next attempt is to find again.
        output: The folder that is kept for people.
        every_s: How often the checkpoint is looked at.
        say: Tells people what went wrong, in one sentence.
        patience_s: See `Courier`.
    """

    def __init__(
        self,
        ask: Ask,
        *,
        checkpoint: str,
        output: str,
        every_s: float,
        say: Callable[[str], None],
        patience_s: float = 600.0,
    ) -> None:
        self.cancelled = threading.Event()
        self._courier = Courier(ask, patience_s=patience_s, cancelled=self.cancelled)
        self._checkpoint = checkpoint
        self._output = output
        self._every_s = every_s
        self._say = say
        self._kept: Look = {}

    def fetch(self) -> None:
        """Brings the trial's last whole checkpoint; one that is damaged is as good as none.

        Raises:
            CancelledError: If nobody wants it any more.
        """
        while True:
            try:
                self._courier.fetch("checkpoint", self._checkpoint)
            except GaveUpError as error:
                self._say(f"waits for its checkpoint: {error}")
                continue
            except RefusedError as error:
                self._say(f"starts anew, as its checkpoint cannot be had: {error}")
            break
        self._kept = look(sources(self._checkpoint, finished=True))

    def watch(self, over: Callable[[], bool]) -> None:
        """Keeps checkpoints until the command is over.

        Raises:
            CancelledError: If nobody wants it any more.
        """
        waited_s, seen = 0.0, self._kept
        while not over():
            self.cancelled.wait(_LOOK_S)
            waited_s += _LOOK_S
            if waited_s < self._every_s:
                continue
            now = self._look()
            if now and now != self._kept and now == seen:
                self._keep_checkpoint(last=False)
                waited_s = 0.0
            elif now == seen:
                waited_s = 0.0
            else:  # somebody writes; look again when that may be over
                seen, waited_s = now, max(0.0, self._every_s - _SETTLED_S)

    def finish(self, *, again: bool, done: bool) -> None:
        """Keeps what is there now that the command is over.

        Args:
            again: Whether another attempt may follow, which needs the checkpoint.
            done: Whether people may want the output of this one.

        Raises:
            CancelledError: If nobody wants it any more.
        """
        if again and self._look() not in ({}, self._kept):
            self._keep_checkpoint(last=True)
        if done:
            self._send_output()

    def _look(self) -> Look:
        try:
            return look(sources(self._checkpoint, finished=True))
        except RefusedError:
            return {}

    def _keep_checkpoint(self, *, last: bool) -> None:
        for _ in range(_TRIES if last else 1):
            now = self._look()
            try:
                self._courier.send("checkpoint", sources(self._checkpoint, finished=True))
            except ChangedError:
                continue
            except RefusedError as error:
                self._say(f"its checkpoint is not in S3: {error}")
            self._kept = now
            return

    def _send_output(self) -> None:
        problem = self._courier.send_settled("output", lambda: sources(self._output))
        if problem is not None:
            self._say(f"its output is not in S3: {problem}")
