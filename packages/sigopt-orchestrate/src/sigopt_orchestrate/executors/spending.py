"""What an experiment and its trials have cost, from what its executor has left on disk."""

import json
import time
from dataclasses import dataclass
from typing import Any

from sigopt_orchestrate.store import AttemptFolder, ExperimentFolder

_HOUR_S = 3600.0
_LEAST_S = 60.0  # EC2 bills the first minute whole


@dataclass(frozen=True)
class Spending:
    """What instances have cost so far.

    Attributes:
        usd: All of them together, idle time included.
        unpriced: How many have no known price, and are not in it.
    """

    usd: float
    unpriced: int


def experiment_spending(folder: ExperimentFolder) -> Spending | None:
    """Returns what the experiment has cost; None for one that has no instances."""
    held = _read(folder.root / "fleet.json")
    if held is None or not held["instances"]:
        return None
    usd, unpriced, now = 0.0, 0, time.time()
    for one in held["instances"]:
        seconds = max(_LEAST_S, (one["ended_at"] or now) - one["launched_at"])
        if one["usd_per_hour"] is None:
            unpriced += 1
        else:
            usd += one["usd_per_hour"] * seconds / _HOUR_S
    return Spending(usd, unpriced)


def trial_usd(folder: ExperimentFolder, number: int, attempts: int) -> float | None:
    """Returns what the instances of all attempts of a trial have cost while they worked on it.

    Args:
        folder: The experiment's.
        number: The trial's.
        attempts: How many attempts it has had.
    """
    found = [_attempt_usd(folder.attempt(number, k)) for k in range(1, attempts + 1)]
    known = [usd for usd in found if usd is not None]
    return sum(known) if known else None


def _attempt_usd(folder: AttemptFolder) -> float | None:
    place = _read(folder.place)
    if place is None or "at" not in place:
        return None
    prices = [one["usd_per_hour"] for one in place["instances"]]
    if None in prices:
        return None
    try:
        until = folder.exit.stat().st_mtime
    except FileNotFoundError:
        until = time.time()
    return sum(prices) * max(0.0, until - place["at"]) / _HOUR_S


def _read(path: Any) -> dict[str, Any] | None:
    try:
        return dict(json.loads(path.read_bytes()))
    except (OSError, ValueError):
        return None
