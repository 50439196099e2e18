"""Stays beside one attempt of a trial: starts it, ends it in time, and records how it ended.

It is started as a file and imports nothing but the standard library, so that it costs a trial a few
milliseconds. It outlives the orchestrate that started it: a trial that ends while no orchestrate
runs is recorded all the same, and the next `orchestrate resume` finds the record.

Usage: python -I -S supervisor.py ATTEMPT_FOLDER
"""

import contextlib
import ctypes
import fcntl
import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_POLL_S = 0.5


def claim(folder: Path) -> bool:
    """Takes the attempt for this process, or returns False where that is no longer allowed.

    The claim appears whole and already locked, by linking a file that is; the lock lasts as long as
    this process, so whoever finds the claim can tell whether its supervisor is alive. A leader
    that has given the attempt up has put a claim of its own there.
    """
    mine = folder / f"claim.{os.getpid()}"
    lock = os.open(mine, os.O_RDWR | os.O_CREAT, 0o644)
    fcntl.flock(lock, fcntl.LOCK_EX)
    os.write(lock, json.dumps({"pid": os.getpid()}).encode())
    try:
        os.link(mine, folder / "claim")
    except FileExistsError:
        return False
    finally:
        mine.unlink()
    return True  # the descriptor stays open, and with it the lock, until this process ends


class Alarm:
    """Wakes the supervisor when a child has ended or SIGTERM has come."""

    def __init__(self) -> None:
        self.terminated = False
        self._read, write = os.pipe()
        os.set_blocking(self._read, False)
        os.set_blocking(write, False)
        signal.set_wakeup_fd(write)
        for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: None)  # not ignored: that, the command would inherit
        signal.signal(signal.SIGTERM, self._on_term)

    def _on_term(self, *_: object) -> None:
        self.terminated = True

    def wait(self, seconds: float) -> None:
        """Returns after `seconds`, or as soon as a signal has come."""
        if select.select([self._read], [], [], seconds)[0]:
            with contextlib.suppress(BlockingIOError):
                os.read(self._read, 4096)


class Heart:
    """Tells for how long the leader's heartbeat has stood still, on a clock that sleeps too."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen = 0.0
        self._since = time.monotonic()

    def still_s(self) -> float:
        """Returns the seconds since the heartbeat was last seen to change."""
        with contextlib.suppress(FileNotFoundError):
            touched = self._path.stat().st_mtime
            if touched != self._seen:
                self._seen, self._since = touched, time.monotonic()
        return time.monotonic() - self._since


def supervise(folder: Path, order: dict[str, Any]) -> dict[str, Any]:
    """Runs the attempt to its end and returns the record of it."""
    alarm, heart = Alarm(), Heart(Path(order["heartbeat"]))
    record: dict[str, Any] = {"code": None, "ended_by": None, "error": None}
    started = time.monotonic()
    try:
        child = _start(folder, order)
    except OSError as error:
        program = order["argv"][0]
        return record | {"error": f"cannot execute {program!r}: {error.strerror}"}
    kill_at = None
    while child.poll() is None:
        alarm.wait(_POLL_S)
        now = time.monotonic()
        if kill_at is None:
            record["ended_by"] = _reason_to_end(alarm, heart, now - started, order)
            if record["ended_by"]:
                _signal_group(child.pid, signal.SIGTERM)
                kill_at = now + order["grace_s"]
        elif now >= kill_at:
            _signal_group(child.pid, signal.SIGKILL)
    _end_leftovers(child.pid)
    return record | {"code": child.returncode}


def _start(folder: Path, order: dict[str, Any]) -> subprocess.Popen[bytes]:
    prepare = None
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)  # daemons of the trial become our children
        me = os.getpid()

        def prepare() -> None:
            libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            if os.getppid() != me:
                os._exit(1)

    with (folder / "log").open("ab") as log:
        return subprocess.Popen(
            order["argv"],
            env=os.environ | order["env"],
            cwd=order["directory"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=prepare,  # noqa: PLW1509 - one thread, and no other way to set PDEATHSIG
        )


def _reason_to_end(alarm: Alarm, heart: Heart, ran_s: float, order: dict[str, Any]) -> str | None:
    if alarm.terminated:
        return "stop"
    if order["trial_s"] is not None and ran_s > order["trial_s"]:
        return "timeout"
    if heart.still_s() > order["heartbeat_s"]:
        return "lease"
    return None


def _signal_group(group: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _end_leftovers(group: int) -> None:
    """Kills what the command left behind, in its process group or, on Linux, out of it."""
    _signal_group(group, signal.SIGKILL)
    while children := _children():
        for pid in children:
            with contextlib.suppress(ProcessLookupError, ChildProcessError):
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)


def _children() -> list[int]:
    try:
        return [
            int(p)
            for p in Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
        ]
    except OSError:
        return []


def write_whole(path: Path, record: dict[str, Any]) -> None:
    """Writes JSON so that the file is there whole, on disk, or not at all."""
    part = path.with_name(f"{path.name}.part")
    with part.open("w", encoding="utf-8") as file:
        json.dump(record, file)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def wake(fifo: Path) -> None:
    """Tells the leader, if there is one, that something has happened."""
    with contextlib.suppress(OSError):
        end = os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
        with contextlib.suppress(OSError):
            os.write(end, b".")
        os.close(end)


def main() -> None:
    """Supervises the attempt whose folder is the one argument."""
    folder = Path(sys.argv[1])
    order = json.loads((folder / "order.json").read_text(encoding="utf-8"))
    if claim(folder):
        write_whole(folder / "exit.json", supervise(folder, order))
        wake(Path(order["wake"]))


if __name__ == "__main__":
    main()
