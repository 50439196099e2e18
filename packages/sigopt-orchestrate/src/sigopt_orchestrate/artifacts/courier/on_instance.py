"""Goes with a trial on an instance of EC2: asks orchestrate over the line that the agent has."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, Dict, Protocol  # noqa: UP035 - see the package

from sigopt_orchestrate.artifacts.courier.carrier import Carrier
from sigopt_orchestrate.artifacts.courier.files import Json, RefusedError
from sigopt_orchestrate.artifacts.courier.transfer import CancelledError

_TIMEOUT_S = 60.0
_GONE = 410


class Line(Protocol):
    """See `executors.ec2.instance.line`."""

    def post(self, path: str, body: Json, timeout_s: float = ...) -> Json:
        """Sends JSON and returns the JSON of the answer."""


class Trial(Protocol):
    """See `executors.ec2.instance.trial`."""

    @property
    def ended(self) -> bool:
        """Whether the command and all it started have ended."""

    def start(self) -> None:
        """Starts the command, unless it is to end already."""

    def record(self) -> Dict[str, Any]:  # noqa: UP006
        """Returns how it ended."""


class Escort(threading.Thread):
    """Starts the trial when its checkpoint is there, and lives until all it left is in the bucket.

    Of a gang the first node alone keeps anything; the others find the same checkpoint.
    """

    def __init__(self, trial: Trial, folder: Path, order: Json, line: Line) -> None:
        super().__init__(daemon=True)
        self._trial = trial
        self._folder = folder
        self._line = line
        self._path = f"/attempts/{order['token']}/artifacts?rank={order['rank']}"
        self._first = order["rank"] == 0
        self._carrier = Carrier(
            self._ask,
            checkpoint=str(folder / "checkpoint"),
            output=str(folder / "output"),
            every_s=float(order["artifacts"]["every_s"]),
            say=self._say,
        )

    def run(self) -> None:
        """Goes with it."""
        try:
            self._carrier.fetch()
            self._trial.start()
            if not self._first:
                return
            self._carrier.watch(lambda: self._trial.ended)
            record = self._trial.record()
            well = record["code"] == 0 and record["ended_by"] is None
            lost = record["ended_by"] in {"stop", "spot", "lease", "lost"}
            self._carrier.finish(again=not well, done=not lost)
        except CancelledError:
            return
        except Exception as error:  # noqa: BLE001 - the trial's end must be told all the same
            self._say(f"not all of it is in S3: {error!r}")

    def cancel(self) -> None:
        """Carries nothing more."""
        self._carrier.cancelled.set()

    def _ask(self, asked: Json) -> Json:
        try:
            return self._line.post(self._path, asked, timeout_s=_TIMEOUT_S)
        except Exception as error:
            status = getattr(error, "status", None)  # the agent's own RefusedError
            if status == _GONE:
                raise CancelledError from None
            if status is not None:
                raise RefusedError(str(error)) from None
            raise

    def _say(self, said: str) -> None:
        with (self._folder / "log").open("a", encoding="utf-8") as log:
            log.write(f"orchestrate: {said}\n")
