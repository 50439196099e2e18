"""Stays beside one attempt of a trial: starts it, ends it in time, and records how it ended.

It imports nothing but the standard library and is forked off by `fork_server`, so that it costs a
trial a few milliseconds. It outlives the orchestrate that asked for it: a trial that ends while no
orchestrate runs is recorded all the same, and the next `orchestrate resume` finds the record.
It travels to instances of EC2 as well, whose Python may be 3.9.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import mmap
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


class Memory:
    """What the attempt uses, and whether the kernel has run out of it."""

    def __init__(self, limit: int | None) -> None:
        self._limit = limit
        self._kills = _oom_kills()

    def exceeded(self) -> bool:
        """Returns whether all of the attempt's processes together use more than the limit."""
        return self._limit is not None and _used_bytes() > self._limit

    def ran_out(self, code: int) -> bool:
        """Returns whether an attempt with this exit status was the kernel's victim."""
        return code in {-signal.SIGKILL, 128 + signal.SIGKILL} and _oom_kills() > self._kills


def supervise(folder: Path, order: dict[str, Any]) -> dict[str, Any]:
    """Runs the attempt to its end and returns the record of it."""
    alarm, heart, memory = Alarm(), Heart(Path(order["heartbeat"])), Memory(order["memory"])
    record: dict[str, Any] = {"code": None, "ended_by": None, "error": None}
    started = time.monotonic()
    try:
        child = _start(folder, order)
    except OSError as error:
        folder_is_gone = error.filename == order["directory"]
        what = "run in the folder" if folder_is_gone else "execute"
        where = order["directory"] if folder_is_gone else order["argv"][0]
        return record | {"error": f"cannot {what} {where!r}: {error.strerror}"}
    kill_at = None
    while child.poll() is None:
        alarm.wait(_POLL_S)
        now = time.monotonic()
        if kill_at is None:
            if child.poll() is not None:  # it ended by itself, whatever was asked meanwhile
                break
            record["ended_by"] = _reason_to_end(alarm, heart, memory, now - started, order)
            if record["ended_by"]:
                _signal_group(child.pid, signal.SIGTERM)
                kill_at = now + (0 if record["ended_by"] == "memory" else order["grace_s"])
        if kill_at is not None and now >= kill_at:
            _signal_group(child.pid, signal.SIGKILL)
    _end_leftovers(child.pid)
    if record["ended_by"] is None and memory.ran_out(child.returncode):
        record["ended_by"] = "memory"
    if record["ended_by"] is None and os.statvfs(folder).f_bavail == 0:
        record["ended_by"] = "disk"
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


def _reason_to_end(
    alarm: Alarm, heart: Heart, memory: Memory, ran_s: float, order: dict[str, Any]
) -> str | None:
    if alarm.terminated:
        return "stop"
    if order["trial_s"] is not None and ran_s > order["trial_s"]:
        return "timeout"
    if heart.still_s() > order["heartbeat_s"]:
        return "lease"
    if memory.exceeded():
        return "memory"
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


def _children(parent: int | None = None) -> list[int]:
    """Returns the processes that have this one, by default ourselves, for a parent."""
    pid = os.getpid() if parent is None else parent
    try:
        return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _used_bytes() -> int:
    """Returns the memory of all our descendants, what they share counted once."""
    used, pids = 0, _children()
    while pids:
        pid = pids.pop()
        pids += _children(pid)
        with contextlib.suppress(OSError):
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            used += sum(int(line.split()[1]) << 10 for line in lines if line.startswith("Pss:"))
    return used


def _oom_kills() -> int:
    """Returns how many processes the kernel has killed for want of memory since it started."""
    try:
        lines = Path("/proc/vmstat").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)


def redact(log: Path, secrets: list[bytes]) -> None:
    """Overwrites secrets in a log byte for byte, so that whoever reads on keeps the place."""
    with log.open("r+b") as file:
        if not os.fstat(file.fileno()).st_size:
            return
        with mmap.mmap(file.fileno(), 0) as content:
            for secret in filter(None, secrets):
                at = content.find(secret)
                while at >= 0:
                    content[at : at + len(secret)] = b"*" * len(secret)
                    at = content.find(secret, at + len(secret))


def write_whole(path: Path, record: dict[str, Any]) -> None:
    """Writes JSON so that the file is there whole or not at all."""
    part = path.with_name(f"{path.name}.part")
    part.write_text(json.dumps(record), encoding="utf-8")
    part.replace(path)


def flush(path: Path) -> None:
    """Has a file on disk, so that it outlives the machine's crash, too."""
    for name in (path, path.parent):
        descriptor = os.open(name, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)


def wake(fifo: Path, what: str = "") -> bool:
    """Tells the leader that something has happened; returns whether there is one to hear it.

    Args:
        fifo: That the leader reads.
        what: `TRIAL/ATTEMPT`, if it is one that has ended.
    """
    try:
        end = os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
    except OSError:
        return False
    with contextlib.suppress(OSError):  # a full one wakes as well
        os.write(end, f"{what}\n".encode())
    os.close(end)
    return True


def run(order: dict[str, Any]) -> None:
    """Supervises one attempt from its claim to the record of its end.

    Args:
        order: `folder`, `argv`, `env`, `secrets`, `directory`, `memory` (bytes or None), `trial_s`,
            `heartbeat_s`, `grace_s`, `heartbeat` (the leader's file) and `wake` (its FIFO).
    """
    folder = Path(order["folder"])
    if not claim(folder):
        return
    record = supervise(folder, order)
    if order["secrets"]:
        redact(folder / "log", [os.environb.get(os.fsencode(n), b"") for n in order["secrets"]])
    heart = Heart(Path(order["heartbeat"]))
    while True:
        try:
            write_whole(folder / "exit.json", record)
            break
        except OSError:  # a full disk may pass, and how it ended is worth waiting for
            if heart.still_s() > order["heartbeat_s"]:
                raise
            time.sleep(1)
    if not wake(Path(order["wake"]), f"{folder.parent.name}/{folder.name}"):
        flush(folder / "exit.json")  # a leader that listens flushes what it makes of it
