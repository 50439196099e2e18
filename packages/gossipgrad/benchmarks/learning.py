"""T5 and T8: accuracy beside all-reduce, and the one model at the end."""

import math
import os
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cells import Cells
from lab import Skipped, run_here, stream
from markdown import table, verdict

RULES = ["all-reduce", "gossip overlap bf16", "gradient-gossip"]
SEEDS = range(5)
# The step sizes are all-reduce's best, by seeds 0 and 1 on 4 ranks: of .025, .05, .1 (mnist: 94.2,
# 95.7 and 93.0 % right) and of .025, .05, .1, .2, .4 (cifar: 18.9, 20.4, 19.9, 19.5, 19.1).
SETS = {
    "mnist": {"samples": 6000, "tested": 10_000, "epochs": 3, "batch": 96, "lr": 0.05},
    "cifar": {"samples": 2500, "tested": 5000, "epochs": 5, "batch": 96, "lr": 0.05},
}


def accuracy(quick: bool, cells: Cells) -> dict[str, str]:
    """Returns T5.

    Raises:
        Skipped: The data are not there.
    """
    data = os.environ.get("GOSSIPGRAD_DATA")
    if not data or not (Path(data) / "mnist").is_dir():
        raise Skipped("set GOSSIPGRAD_DATA to the folder that holds mnist and cifar-100-python")
    rows, worst = [], math.inf
    small = {"samples": 960, "tested": 1000, "epochs": 1} if quick else {}
    for name, settings in SETS.items():
        for p in (4,) if quick else (4, 6, 8):
            task = {"set": name, "rules": RULES, **settings, **small}
            told = trained(cells, data, p, task, SEEDS[:2] if quick else SEEDS)
            reference = told["all-reduce"]
            if len(reference) < 2:
                rows.append([name, p, len(reference), *["not measured"] * len(RULES)])
                continue
            row: list[object] = [name, p, len(reference), f"{statistics.fmean(reference):.2f}"]
            for rule in RULES[1:]:
                gaps = [mine - theirs for mine, theirs in zip(told[rule], reference, strict=True)]
                mean, error = statistics.fmean(gaps), statistics.stdev(gaps) / len(gaps) ** 0.5
                row.append(f"{mean:+.2f} ± {error:.2f}")
                if rule == RULES[1]:
                    worst = min(worst, mean)
            rows.append(row)
    head = ["set", "p", "seeds", "all-reduce, % right", *(f"{rule} (points)" for rule in RULES[1:])]
    whole = all(row[2] == len(SEEDS) or quick for row in rows)
    word = verdict(worst >= -0.3) if whole else "open, since cells are missing"
    return {
        "T5": table(head, rows) + "\n\nMean paired difference over the seeds ± its standard error. "
        f"Target for gossip ≥ -0.3 in every row: {word}"
        + (f" (worst {worst:+.2f})." if worst < math.inf else ".")
    }


def trained(
    cells: Cells, data: str, p: int, task: dict[str, Any], seeds: Sequence[int]
) -> dict[str, list[float]]:
    """Returns the accuracies by rule, in the order of the seeds; trains what is missing.

    Where nothing is to be measured, the seeds that are there.
    """
    names = {seed: f"T5 {task['set']} p={p} seed={seed}" for seed in seeds}
    missing = [seed for seed in seeds if not cells.has(names[seed], task)]
    if missing and not cells.closed:
        for told in stream(p, "accuracy.py", {**task, "data": data, "seeds": missing}):
            cells.put(names[told["seed"]], task, told["accuracy"])
    kept = [cells.kept(names[seed]) for seed in seeds if cells.has(names[seed], task)]
    return {rule: [cell[rule] for cell in kept] for rule in task["rules"]}


def consensus(quick: bool, cells: Cells) -> dict[str, str]:
    """Returns T8."""
    rows, reached = [], True
    for p in (2, 3) if quick else (2, 3, 4, 6, 8):
        told = cells.measured(f"T8 p={p}", {}, lambda p=p: run_here(p, "consensus.py", {})[0])
        allowed = 1.1 * (p - 1).bit_length()
        reached &= told["after"] == 0 and told["exchanges"] <= allowed
        rows.append(
            [p, f"{told['before']:.1e}", told["after"], told["exchanges"], f"{allowed:.1f}"]
        )
    head = ["p", "largest difference before", "after", "exchanges", "allowed: 1.1 ceil(log2 p)"]
    return {"T8": table(head, rows) + f"\n\n{verdict(reached).capitalize()}."}
