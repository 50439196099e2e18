"""One optimiser process as its parent sees it: lines in, bytes out, neither ever blocking."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import IO

# -P: the user's folder, where orchestrate usually runs, may hold a torch.py or a random.py.
_COMMAND = (sys.executable, "-P", "-m", "sigopt_orchestrate.optimizer.process")
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")


class Child:
    """A running `sigopt_orchestrate.optimizer.process` in a session of its own.

    Args:
        log_path: A file that its standard error is appended to.
    """

    def __init__(self, log_path: Path) -> None:
        with log_path.open("ab") as log:
            self._process = subprocess.Popen(
                _COMMAND,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env={**os.environ, **_ONE_THREAD},
                start_new_session=True,
                bufsize=0,
            )
        assert self._process.stdin is not None  # noqa: S101
        assert self._process.stdout is not None  # noqa: S101
        self._stdin, self._stdout = self._process.stdin, self._process.stdout
        os.set_blocking(self._stdout.fileno(), False)
        self._lines: SimpleQueue[bytes | None] = SimpleQueue()
        # A long history does not fit into a pipe, and its reader may still be starting.
        self._writer = Thread(target=_write, args=(self._lines, self._stdin), daemon=True)
        self._writer.start()

    @property
    def pid(self) -> int:
        """The process id, which is that of its session and group, too."""
        return self._process.pid

    def fileno(self) -> int:
        """Returns the descriptor that is readable when `read` has something to tell."""
        return self._stdout.fileno()

    def send(self, line: bytes) -> None:
        """Has `line` written; a dead process shows in `read`, not here."""
        self._lines.put(line)

    def read(self) -> bytes | None:
        """Returns what has arrived: None for nothing yet, empty once the process has died."""
        return self._stdout.read(65536)

    def end(self) -> int:
        """Kills the process with all it may have started, reaps it and returns its exit status."""
        if self._process.returncode is None:  # else its id may be another's by now
            os.killpg(self._process.pid, signal.SIGKILL)
        status = self._process.wait()
        self._lines.put(None)
        self._writer.join()
        self._stdin.close()
        self._stdout.close()
        return status


def _write(lines: SimpleQueue[bytes | None], pipe: IO[bytes]) -> None:
    with suppress(BrokenPipeError):
        while (line := lines.get()) is not None:
            left = memoryview(line)
            while left:
                left = left[pipe.write(left) :]
