"""What a trial reports while it runs: the lines of its metrics file that name a step."""

import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

STEP = "step"
"""The key that makes a line of a report a checkpoint, where no metric has this name."""


@dataclass(frozen=True)
class Checkpoint:
    """The metrics of a trial at one of its steps, for example an epoch."""

    step: float
    values: Mapping[str, float]


def read_checkpoints(report: Path, metrics: Iterable[str]) -> list[Checkpoint]:
    """Returns the checkpoints in a report, in the order in which they were written.

    Lenient, for those who look on: lines that are not whole yet, or that make no sense, are passed
    over. What is wrong with a report is said when its trial ends.

    Args:
        report: The trial's metrics file; it need not exist.
        metrics: The experiment's metrics by name. If one is called `step`, nothing is a checkpoint.
    """
    if STEP in metrics:
        return []
    try:
        lines = report.read_bytes().splitlines()
    except OSError:
        return []
    return [found for line in lines if (found := _checkpoint(line)) is not None]


def _checkpoint(line: bytes) -> Checkpoint | None:
    try:
        entry: Any = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(entry, dict) or not _finite(entry.get(STEP)):
        return None
    values = {k: float(v) for k, v in entry.items() if k != STEP and _finite(v)}
    return Checkpoint(entry[STEP], values) if values else None


def _finite(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) <= sys.float_info.max  # also false of NaN, and of an int too long for a float
