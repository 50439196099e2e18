"""One attempt on this instance: a supervisor that runs it, and what is sent of it meanwhile."""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from sigopt_orchestrate.executors.ec2.instance.line import Line, RefusedError, attempt_path

_CHUNK = 256 << 10
_SUPERVISE = (
    "import json, sys; sys.path.insert(0, sys.argv[1]); "
    "from sigopt_orchestrate.executors.supervisor import run; "
    "run(json.loads(open(sys.argv[2]).read()))"
)
_GIVEN = {
    "ORCHESTRATE_METRICS": "metrics.jsonl",
    "ORCHESTRATE_STOP": "stop",
    "ORCHESTRATE_OUTPUT": "output",
    "ORCHESTRATE_CHECKPOINT": "checkpoint",
}


class Trial:
    """Runs an attempt's command until it ends, and tells orchestrate all there is to tell."""

    def __init__(self, root: Path, code: Path, order: dict[str, Any], line: Line) -> None:
        self.token = str(order["token"])
        self.rank = int(order["rank"])
        self.told = False
        self.because: str | None = None
        self._folder = root / "attempts" / self.token
        self._sent = {"log": 0, "metrics": 0}
        self._files = {"log": self._folder / "log", "metrics": self._folder / "metrics.jsonl"}
        self._ending = self._signalled = False
        self._root, self._code, self._order = root, code, order
        self._supervisor: subprocess.Popen[bytes] | None = None
        self._escort: Any = None
        (self._folder / "output").mkdir(parents=True, exist_ok=True)
        if order["artifacts"] is None:
            self.start()
        else:
            importlib.invalidate_caches()  # it has come over the line since we began
            escort = importlib.import_module("sigopt_orchestrate.artifacts.courier.on_instance")
            self._escort = escort.Escort(self, self._folder, order, line.another())
            self._escort.start()

    def start(self) -> None:
        """Starts the command, unless it is to end already."""
        if not self._ending:
            (self._folder / "checkpoint").mkdir(exist_ok=True)
            self._supervisor = self._supervise(self._root, self._code, self._order)

    def _supervise(self, root: Path, code: Path, order: dict[str, Any]) -> subprocess.Popen[bytes]:
        places = {name: str(self._folder / file) for name, file in _GIVEN.items()}
        said = {
            "folder": str(self._folder),
            "argv": order["argv"],
            "env": {**order["env"], **places, "ORCHESTRATE_ATTEMPT": self.token},
            "directory": str(root / "work"),
            "memory": order["memory"],
            "secrets": sorted(order["secrets"]),
            "trial_s": order["trial_s"],
            "grace_s": order["grace_s"],
            "heartbeat_s": order["lease_s"],
            "heartbeat": str(root / "heartbeat"),
            "wake": str(root / "wake"),
        }
        path = self._folder / "order.json"
        path.write_text(json.dumps(said), encoding="utf-8")
        with (self._folder / "log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-IS", "-c", _SUPERVISE, str(code), str(path)],
                env={**os.environ, **order["secrets"]},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @property
    def ended(self) -> bool:
        """Whether the command and all it started have ended."""
        return self._supervisor is None or self._supervisor.poll() is not None

    @property
    def over(self) -> bool:
        """Whether it has ended, and what it left is on its way no more."""
        return (self._escort is None or not self._escort.is_alive()) and self.ended

    def stop_early(self) -> None:
        """Tells the command that it may end now."""
        (self._folder / "stop").touch()

    def end(self, because: str) -> None:
        """Asks the command to end; `because` is `stop`, or `spot` where the instance goes."""
        if not self._ending:
            self._ending = True
            self.because = because
        if self._supervisor is None:
            if self._escort is not None:
                self._escort.cancel()
        elif not self._signalled and not self.ended:
            self._signalled = True
            self._supervisor.send_signal(signal.SIGTERM)

    def tell(self, line: Line) -> None:
        """Sends what is new of the log and the metrics, and at the end how it ended.

        Raises:
            OSError: If orchestrate cannot be reached; the next call goes on from there.
        """
        over = self.over
        if self._ending:  # it may have started just then
            self.end(self.because or "stop")
        try:
            for part in self._sent:
                self._send(line, part)
            if over:
                record = self.record()
                path = attempt_path(self.token, self.rank, "exit")
                line.send("PUT", path, json.dumps(record).encode())
                self.told = True
        except RefusedError as error:
            if error.status != 410:
                raise OSError(str(error)) from None
            self.end("stop")  # nobody wants to know any more
            self.told = self.over

    def record(self) -> dict[str, Any]:
        """Returns how it ended."""
        if self._supervisor is None:
            return {"code": None, "ended_by": self.because or "lost", "error": None}
        try:
            record: dict[str, Any] = json.loads((self._folder / "exit.json").read_bytes())
        except (OSError, ValueError):
            return {"code": None, "ended_by": "lost", "error": None}
        if record["ended_by"] == "stop" and self.because is not None:
            record["ended_by"] = self.because
        return record

    def _send(self, line: Line, part: str) -> None:
        while True:
            try:
                with self._files[part].open("rb") as file:
                    file.seek(self._sent[part])
                    content = file.read(_CHUNK)
            except FileNotFoundError:
                return
            if not content:
                return
            path = attempt_path(self.token, self.rank, part, self._sent[part])
            answer = json.loads(line.send("PUT", path, content))
            self._sent[part] = int(answer["size"])
