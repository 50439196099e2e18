"""What an instance does before its first trial: copy the experiment's folder, run its setup.

And copy what carries artifacts, if it needs that: the user data has no room for it.
"""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
from pathlib import Path

from sigopt_orchestrate.executors.ec2.instance.line import Line, RefusedError

_TAIL = 400
COURIER = "code/sigopt_orchestrate/artifacts/courier"


class Preparation:
    """Goes on beside the agent's beats.

    Attributes:
        done: Whether trials may come.
        broken: Why they never can, if that is so.
    """

    def __init__(self, root: Path, *, source: bool, setup: str | None, courier: bool) -> None:
        self.done = False
        self.broken: str | None = None
        self._work = root / "work"
        self._log = root / "setup.log"
        self._source = source
        self._courier = root / COURIER if courier else None
        self._setup = setup
        self._child: subprocess.Popen[bytes] | None = None

    def go_on(self, line: Line) -> None:
        """Does what can be done now.

        Raises:
            OSError: If orchestrate cannot be reached.
        """
        if self.done or self.broken:
            return
        if self._child is None:
            try:
                self._copy(line)
            except (RefusedError, tarfile.TarError) as error:
                self.broken = f"source: cannot be copied: {error}"
                return
            if self._setup is None:
                self.done = True
                return
            with self._log.open("ab") as log:
                self._child = subprocess.Popen(
                    ["/bin/sh", "-ec", self._setup],
                    cwd=self._work,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                )
        code = self._child.poll()
        if code == 0:
            self.done = True
        elif code is not None:
            said = self._log.read_bytes()[-_TAIL:].decode(errors="replace").strip()
            self.broken = f"setup: exit status {code}: {said or 'it said nothing'}"

    def _copy(self, line: Line) -> None:
        if self._courier is not None:
            self._courier.mkdir(parents=True, exist_ok=True)
            for name, text in json.loads(line.send("GET", "/courier")).items():
                (self._courier / name).write_text(text, encoding="utf-8")
        self._work.mkdir(exist_ok=True)
        if self._source:
            content = line.send("GET", "/source", timeout_s=120)
            with tarfile.open(fileobj=io.BytesIO(content)) as archive:
                archive.extractall(self._work)  # noqa: S202 - orchestrate has packed it
            self._source = False
