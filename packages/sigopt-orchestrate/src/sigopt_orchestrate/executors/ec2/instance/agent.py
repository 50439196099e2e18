"""The instance's own program: asks orchestrate for trials, works them, and ends in time.

Whoever starts it shuts the instance down when it returns, whatever the reason.
"""

from __future__ import annotations

import json
import sys
import time
import uuid
from pathlib import Path
from typing import Any

from sigopt_orchestrate.executors.ec2.instance.line import Line, RefusedError
from sigopt_orchestrate.executors.ec2.instance.metadata import Metadata
from sigopt_orchestrate.executors.ec2.instance.preparation import Preparation
from sigopt_orchestrate.executors.ec2.instance.trial import Trial

_NOTICE_S = 5.0  # AWS advises to look every five seconds
_IDLE_S = 5.0
_STEP_S = 0.1
_LAST_WORDS_S = 100.0  # a spot notice comes two minutes before the end


class Agent:
    """Works for one orchestrate, as long as that one is heard from."""

    def __init__(self, root: Path, config: dict[str, Any]) -> None:
        self._root = root
        self._code = root / "code"
        self._lease_s = float(config["lease_s"])
        self._line = Line(config["url"], config["token"], config["certificate"])
        self._metadata = Metadata()
        self._preparation = Preparation(
            root, source=config["source"], setup=config["setup"], courier=config["courier"]
        )
        self._trials: dict[str, Trial] = {}
        self._worked: set[str] = set()
        self._drain: str | None = None
        self._drain_by = float("inf")
        self._retired = False
        self._heard = time.monotonic()
        self._looked = float("-inf")
        self._boot = uuid.uuid4().hex
        self._me: dict[str, str] = {}

    def work(self) -> str:
        """Returns why the instance is to end."""
        self._introduce()
        while True:
            began = time.monotonic()
            self._look_for_notice(began)
            reached = self._beat(began)
            if time.monotonic() - self._heard > self._lease_s:
                return "nothing was heard from orchestrate for its lease"
            self._tend()
            if self._finished():
                return self._drain or "it is no longer needed"
            if not reached:
                time.sleep(min(1.0, self._lease_s / 8))
            elif self._trials or not self._preparation.done:
                self._doze(began + min(1.0, self._lease_s / 4))

    def _finished(self) -> bool:
        if self._drain is not None and time.monotonic() > self._drain_by:
            return True
        return not self._trials and (self._retired or self._drain is not None)

    def _introduce(self) -> None:
        """Asks who we are; the service may come up a little later than we do."""
        while True:
            try:
                self._me = self._metadata.describe()
            except OSError:
                if time.monotonic() - self._heard > self._lease_s:
                    raise
                time.sleep(0.5)
            else:
                return

    def _look_for_notice(self, now: float) -> None:
        if self._drain is None and now - self._looked >= min(_NOTICE_S, self._lease_s / 4):
            self._looked = now
            self._drain = self._metadata.notice()
            if self._drain is not None:
                self._drain_by = now + _LAST_WORDS_S
                for trial in self._trials.values():
                    trial.end("spot")

    def _beat(self, sent: float) -> bool:
        """Tells what we do and takes what is to be done; returns whether orchestrate answered."""
        idle = not self._trials and self._preparation.done and self._drain is None
        wait_s = min(_IDLE_S, self._lease_s / 4) if idle else 0.0
        body = {
            **self._me,
            "boot": self._boot,
            "attempts": sorted(self._trials),
            "ready": self._preparation.done,
            "broken": self._preparation.broken,
            "drain": self._drain,
            "wait_s": wait_s,
        }
        try:
            answer = self._line.post("/beat", body, timeout_s=wait_s + min(5.0, self._lease_s))
        except OSError:
            return False
        except RefusedError as error:
            if error.status == 410:
                self._retired = True
                for trial in self._trials.values():
                    trial.end("stop")
            return error.status == 410
        self._heard = sent
        self._sign_of_life()
        for order in answer["orders"]:
            if order["token"] not in self._worked and self._drain is None:
                self._worked.add(order["token"])
                self._trials[order["token"]] = Trial(self._root, self._code, order, self._line)
        for token in answer["end"]:
            if token in self._trials:
                self._trials[token].end("stop")
        for token in answer["stop"]:
            if token in self._trials:
                self._trials[token].stop_early()
        self._retired = self._retired or bool(answer["retire"])
        return True

    def _sign_of_life(self) -> None:
        """Renews the lease, for the supervisors and for the script that watches us."""
        (self._root / "heartbeat").touch()
        part = self._root / "alive.part"
        part.write_text(Path("/proc/uptime").read_text().split(".")[0] + "\n")
        part.replace(self._root / "alive")

    def _tend(self) -> None:
        try:
            self._preparation.go_on(self._line)
            for trial in list(self._trials.values()):
                trial.tell(self._line)
                if trial.told:
                    del self._trials[trial.token]
        except OSError:
            return  # the next beat says whether it is still there

    def _doze(self, until: float) -> None:
        """Waits for the next beat, or until a trial ends."""
        while time.monotonic() < until:
            if self._trials and all(trial.over for trial in self._trials.values()):
                return
            time.sleep(_STEP_S)


def main(folder: str) -> int:
    """Works until the instance is to end."""
    root = Path(folder)
    config = json.loads((root / "config.json").read_text(encoding="utf-8"))
    reason = Agent(root, config).work()
    sys.stderr.write(f"orchestrate: this instance ends: {reason}\n")
    return 0
