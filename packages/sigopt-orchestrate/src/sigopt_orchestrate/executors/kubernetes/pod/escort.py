"""Goes with a trial in a pod: asks orchestrate in the log, and hears it by an annotation.

A pod cannot call orchestrate, which may be anywhere; but its log is followed, and its annotations
are written, by whoever runs it. So no pod needs a way out but that to S3, and no rights at all.
"""

from __future__ import annotations

import json
import os
import threading
import time
import uuid
from typing import Any

from sigopt_orchestrate.artifacts.courier.carrier import Carrier
from sigopt_orchestrate.artifacts.courier.files import RefusedError
from sigopt_orchestrate.artifacts.courier.transfer import CancelledError
from sigopt_orchestrate.executors.kubernetes.pod.annotations import annotation
from sigopt_orchestrate.executors.kubernetes.pod.command import Alarm
from sigopt_orchestrate.executors.kubernetes.pod.places import ANSWER_ANNOTATION
from sigopt_orchestrate.executors.kubernetes.pod.report import MARK

_AGAIN_S = 60.0  # after so long without an answer the question is asked again
_LOOK_S = 0.1
_CHUNK = 3500  # what is written at once reaches the log in one piece, up to 4096 bytes


class Escort:
    """Fetches the checkpoint before the command, keeps it meanwhile, and keeps the output after.

    Of a gang the first node alone keeps anything; the others find the same checkpoint.

    Args:
        order: `checkpoint`, `output` and `artifacts`.
        rank: The node's.
        alarm: Says when the pod is to end.
    """

    def __init__(self, order: dict[str, Any], rank: int, alarm: Alarm) -> None:
        self._first = rank == 0
        self._alarm = alarm
        self._over = threading.Event()
        self._carrier = Carrier(
            self._ask,
            checkpoint=order["checkpoint"],
            output=order["output"],
            every_s=float(order["artifacts"]["every_s"]),
            say=lambda said: _write(f"orchestrate: {said}\n"),
        )
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def fetch(self) -> None:
        """Brings the checkpoint, unless the pod is to end."""
        try:
            self._carrier.fetch()
        except CancelledError:
            return

    def start(self) -> None:
        """Keeps checkpoints from now on."""
        if self._first:
            self._thread.start()

    def finish(self, record: dict[str, Any]) -> None:
        """Keeps what the command has left; the pod may be killed meanwhile."""
        if not self._first:
            return
        self._over.set()
        self._thread.join()
        well = record["code"] == 0 and record["ended_by"] is None
        lost = record["ended_by"] in {"stop", "gang"}
        self._carrier.finish(again=not well, done=not lost)

    def _watch(self) -> None:
        self._carrier.watch(self._over.is_set)

    def _ask(self, asked: dict[str, Any]) -> dict[str, Any]:
        name = uuid.uuid4().hex
        text = json.dumps(asked)
        chunks = [text[at : at + _CHUNK] for at in range(0, len(text), _CHUNK)]
        for number, chunk in enumerate(chunks, start=1):
            _write(f"{MARK}artifacts {name} {number}/{len(chunks)} {chunk}{MARK}\n")
        until = time.monotonic() + _AGAIN_S
        while time.monotonic() < until:
            said = json.loads(annotation(ANSWER_ANNOTATION) or "{}")
            if said.get("to") == name:
                if "refused" in said:
                    raise RefusedError(said["refused"])
                return dict(said["answer"])
            if self._alarm.terminated and not self._thread.is_alive() and not self._over.is_set():
                raise CancelledError  # it is to end before it has begun
            time.sleep(_LOOK_S)
        raise OSError("orchestrate does not answer")


def _write(text: str) -> None:
    os.write(1, text.encode())
