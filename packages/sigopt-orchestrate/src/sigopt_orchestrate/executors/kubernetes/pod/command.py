"""Runs the trial's command from the container's first process, and ends it in time."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import time
from typing import Any, Callable  # noqa: UP035 - the image may have Python 3.8

from sigopt_orchestrate.executors.kubernetes.pod.report import Metrics

_POLL_S = 0.25


class Alarm:
    """Wakes whoever waits when a signal has come; the container's first process gets no default."""

    def __init__(self) -> None:
        self.terminated = False
        self._read, write = os.pipe()
        os.set_blocking(self._read, False)
        os.set_blocking(write, False)
        signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_term)

    def _on_term(self, *_: object) -> None:
        self.terminated = True

    def wait(self, seconds: float) -> None:
        """Returns after `seconds`, or as soon as a signal has come."""
        if select.select([self._read], [], [], seconds)[0]:
            with contextlib.suppress(BlockingIOError):
                os.read(self._read, 4096)


def run(
    order: dict[str, Any],
    env: dict[str, str],
    alarm: Alarm,
    metrics: Metrics,
    poll: Callable[[], str | None],
) -> dict[str, Any]:
    """Runs the command to its end and returns the record of it; see `executors.Exit`.

    Args:
        order: `argv`, `trial_s` (or None) and `grace_s`.
        env: Set on top of the container's environment.
        alarm: Says when the pod is asked to end.
        metrics: To be said in the log meanwhile.
        poll: Called several times a second; may return a reason why the command is to end.
    """
    record: dict[str, Any] = {"code": None, "ended_by": None, "error": None}
    argv, started, kills = order["argv"], time.monotonic(), _oom_kills()
    try:
        child = subprocess.Popen(
            argv, env={**os.environ, **env}, stdin=subprocess.DEVNULL, start_new_session=True
        )
    except OSError as error:
        return {**record, "error": f"cannot execute {argv[0]!r}: {error.strerror}"}
    kill_at = None
    while child.poll() is None:
        alarm.wait(_POLL_S)
        metrics.say()
        asked, now = poll(), time.monotonic()
        if child.poll() is not None:
            break
        if kill_at is None:
            late = order["trial_s"] is not None and now - started > order["trial_s"]
            record["ended_by"] = "stop" if alarm.terminated else "timeout" if late else asked
            if record["ended_by"]:
                signal_group(child.pid, signal.SIGTERM)
                kill_at = now + (1 if asked else order["grace_s"])
        elif now >= kill_at:
            signal_group(child.pid, signal.SIGKILL)
    end_leftovers(child.pid)
    metrics.say(final=True)
    if child.returncode in {-9, 137} and record["ended_by"] is None and _oom_kills() > kills:
        record["ended_by"] = "memory"
    return {**record, "code": child.returncode}


def signal_group(group: int, number: int) -> None:
    """Sends a signal to a process group, if it is still there."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def end_leftovers(group: int) -> None:
    """Kills what a command left behind in its group."""
    signal_group(group, signal.SIGKILL)


def _oom_kills() -> int:
    """Returns how many processes of this container the kernel has killed for want of memory."""
    for path in ("/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control"):
        with contextlib.suppress(OSError), open(path, encoding="ascii") as file:  # noqa: PTH123
            for line in file:
                if line.startswith("oom_kill "):
                    return int(line.split()[1])
    return 0
