"""What a trial's processes use of the machine."""

import json
from dataclasses import dataclass

import psutil

from sigopt_orchestrate.store import AttemptFolder


@dataclass(frozen=True)
class Usage:
    """The use that all processes of an attempt make of the machine together.

    Attributes:
        cpu_s: CPU seconds so far, of those that still live.
        memory: Bytes of resident memory; what processes share counts for each.
        processes: How many there are, the supervisor not among them.
    """

    cpu_s: float
    memory: int
    processes: int


def usage(folder: AttemptFolder) -> Usage | None:
    """Returns what the attempt in `folder` uses; None if it does not run on this machine."""
    try:
        supervisor = psutil.Process(json.loads(folder.claim.read_bytes())["pid"] or -1)
        processes = supervisor.children(recursive=True)
    except (OSError, ValueError, psutil.Error):
        return None
    cpu_s, memory, count = 0.0, 0, 0
    for process in processes:
        try:
            with process.oneshot():
                times = process.cpu_times()
                cpu_s += times.user + times.system
                memory += process.memory_info().rss
                count += 1
        except psutil.Error:
            continue
    return Usage(cpu_s, memory, count) if count else None
