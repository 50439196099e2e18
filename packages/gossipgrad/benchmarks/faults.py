"""T6: ranks killed one after the other, a hundred in all, under Open MPI with ULFM."""

import random
import statistics
from typing import Any

import environments
from cells import Cells
from lab import run_here
from markdown import table, verdict

RANKS, DEATHS = 8, 5
APART = 15  # steps between two deaths, so that each meets ranks that train
STEPS = APART * (DEATHS + 2)


def kills(quick: bool, cells: Cells) -> dict[str, str]:
    """Returns T6."""
    launches = 2 if quick else 20
    hangs, noticed_ms, lost, slower, unequal, died = 0, [], [], [], 0, 0
    for launch in range(launches):
        task = killing(launch)
        told = cells.measured(f"T6 launch={launch:02}", task, lambda task=task: killed(task))
        dead = {rank for rank, _ in task["victims"]}
        died += len(dead)
        survivors = [mine for rank, mine in enumerate(told) if rank not in dead]
        hangs += sum(mine is None for mine in survivors)
        there = [mine for mine in survivors if mine is not None]
        unequal += len({mine["digest"] for mine in there}) > 1
        for mine in there:
            noticed_ms += mine["noticed_ms"]
            lost.append(mine["lost"] / DEATHS)
            slower.append(mine["after_s"] / mine["before_s"])
    if not noticed_ms:
        raise RuntimeError(f"{hangs} of {launches * (RANKS - DEATHS)} survivors hung")
    worst, living = max(noticed_ms), died * (RANKS - DEATHS)
    rows = [
        ["survivors that hung", hangs, 0, verdict(hangs == 0)],
        ["deaths that every survivor noticed",
         f"{len(noticed_ms)} of {living}", "all", verdict(len(noticed_ms) == living)],
        ["noticed after, median (longest)",
         f"{statistics.median(noticed_ms):.1f} ({worst:.1f}) ms", "≤ 50 ms", verdict(worst <= 50)],
        ["lost exchanges per survivor and death, mean (most)",
         f"{statistics.fmean(lost):.2f} ({max(lost):.2f})", "≤ 1", verdict(max(lost) <= 1)],
        ["survivors' step time, after ÷ before",
         f"{statistics.median(slower):.3f}", "≤ 1.02", verdict(statistics.median(slower) <= 1.02)],
        ["runs whose survivors ended unequal", unequal, 0, verdict(unequal == 0)],
    ]  # fmt: skip
    head = f"{died} ranks killed by SIGKILL, {RANKS} ranks at the start of each run"
    return {"T6": table([head, "measured", "target", ""], rows)}


def killing(launch: int) -> dict[str, Any]:
    """Returns the task of one launch: who dies at which step."""
    chance = random.Random(launch)  # noqa: S311
    chosen = chance.sample(range(RANKS), DEATHS)
    victims = [[rank, 12 + APART * n + chance.randrange(5)] for n, rank in enumerate(chosen)]
    return {"victims": victims, "steps": STEPS, "takes_s": 0.05, "megabytes": 1, "seed": launch}


def killed(task: dict[str, Any]) -> list[Any]:
    """Returns what each rank told, in brief; None for the dead and for those that hung."""
    ulfm = ("--with-ft", "ulfm", "--oversubscribe", "-n")
    openmpi = environments.openmpi()
    try:
        told = run_here(RANKS, "kills.py", task, mpiexec=ulfm, environment=openmpi, timeout_s=180)
    except RuntimeError:
        return [None] * RANKS
    return [brief(task, mine) if mine else None for mine in told]


def brief(task: dict[str, Any], mine: dict[str, Any]) -> dict[str, Any]:
    """Returns a survivor's figures without its every step."""
    before, after = task["victims"][0][1], task["victims"][-1][1]
    return {
        "noticed_ms": list(mine["noticed_ms"].values()),
        "lost": len(mine["lost"]),
        "before_s": statistics.median(mine["steps_s"][3:before]),
        "after_s": statistics.median(mine["steps_s"][after + 2 :]),
        "digest": mine["digest"],
    }
