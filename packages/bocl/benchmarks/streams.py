"""B2 to B5: our learner and its rivals on a stream, same trunk, same schedule, same seed."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bocl.comparing import frame_of, measure_method
from bocl.comparison import Outcome, Outcomes
from bocl.streams.registry import make_stream

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Rival:
    """A row: a method with settings of its own.

    Attributes:
        as_large_as: label of a row measured before whose parameters are the total.
    """

    label: str
    method: str
    changes: dict[str, Any] = field(default_factory=dict)
    as_large_as: str | None = None


@dataclass(frozen=True)
class Table:
    """A stream, its frame and its rows.

    Attributes:
        bound: times the base that the issue allows; equal-size rivals get it whole.
    """

    stream: str
    bound: float
    rivals: tuple[Rival, ...]


def _rivals(*more: Rival) -> tuple[Rival, ...]:
    return (
        Rival("BOCL", "bocl"),
        Rival("separate", "separate"),
        Rival("separate, copies of the first", "separate", {"copies": True}),
        Rival("separate, equal size", "equal-size"),
        Rival("separate, BOCL's size", "equal-size", as_large_as="BOCL"),
        *more,
        Rival("PackNet", "packnet"),
        Rival("fine-tune, head per task", "fine-tune"),
        Rival("joint", "joint"),
        Rival("progressive", "progressive"),
    )


_EWC = (
    Rival("EWC, one head, λ = 100", "ewc", {"heads": "one", "strength": 100.0}),
    Rival("EWC, head per task, λ = 100", "ewc", {"strength": 100.0}),
)
_WITHOUT_VIEWS = Rival("BOCL without views", "bocl", {"views": "none"})
TABLES = {
    "B2": Table("permuted-mnist", 2.0, _rivals(_WITHOUT_VIEWS, *_EWC)),
    "B3": Table("rotated-mnist", 1.35, _rivals(_WITHOUT_VIEWS, *_EWC)),
    "B4": Table("mnist-mix", 1.8, _rivals(_WITHOUT_VIEWS, *_EWC)),
    "B5": Table(
        "split-cifar100",
        2.5,
        _rivals(
            Rival("EWC, head per task, λ = 1000", "ewc", {"strength": 1000.0}),
            Rival("LwF", "lwf"),
            Rival("LwF, one growing head", "lwf", {"heads": "growing"}),
            Rival("Avalanche's PNN, dense columns", "avalanche", {"name": "PNN"}),
            Rival("Avalanche's PackNet", "avalanche", {"name": "PackNet"}),
            Rival("RCL, BOCL's size", "rcl", as_large_as="BOCL"),
            Rival("RCL, 5 trials", "rcl", {"trials": 5}),
        ),
    ),
}


def run_table(name: str, only: list[str] | None, seed: int, outcomes: Outcomes) -> None:
    """Measures the cells of a table that are not there yet, for one seed."""
    table = TABLES[name]
    missing = [
        rival
        for rival in table.rivals
        if (only is None or rival.method in only or rival.label in only)
        and outcomes.find(table.stream, rival.label, seed) is None
    ]
    if not missing:
        return
    tasks = list(make_stream(table.stream, seed=seed))
    frame = frame_of(table.stream, tasks, seed, table.bound)
    for rival in missing:
        changes = dict(rival.changes)
        if rival.as_large_as is not None:
            like = outcomes.find(table.stream, rival.as_large_as, seed)
            if like is None:
                continue
            changes["total"] = like.parameters
        if rival.method == "avalanche":
            if "BOCL_PEERS" not in os.environ:
                continue
            outcome = measured_by_avalanche(changes["name"], table.stream, seed)
        else:
            outcome = measure_method(
                table.stream, rival.label, rival.method, tasks, frame, report=_tell, **changes
            )
        outcome.facts["commit"] = _commit()
        outcomes.add(outcome)
        print(
            f"{name} {rival.label}, seed {seed}: ACC {100 * outcome.accuracy:.2f} % at "
            f"{outcome.parameters / outcome.base:.2f}x, {outcome.cpu_s:.0f} CPU s",
            flush=True,
        )


def measured_by_avalanche(name: str, stream: str, seed: int) -> Outcome:
    """Returns what one of Avalanche's methods makes of a stream, run by $BOCL_PEERS."""
    command = [os.environ["BOCL_PEERS"], "-W", "ignore", HERE / "peers.py", name, stream, str(seed)]
    found = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return Outcome(**json.loads(found.stdout.splitlines()[-1]))


def _tell(line: str) -> None:
    print(f"  {line}", flush=True)


def _commit() -> str:
    found = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    return found.stdout.strip()
