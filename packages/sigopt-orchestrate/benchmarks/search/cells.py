"""Runs cells of the search benchmark and keeps them: one problem, one optimiser, one seed each.

    python benchmarks/search/cells.py O1 --peers tpe gp --seeds 0-19

A cell that `cells/PEER.jsonl` has is not run again; delete its line to have it anew. A line says
the regret after each evaluation, as pairs (evaluation, regret) where it falls, and the median CPU
seconds of the last ten suggestions. One thread. Ax needs an interpreter that has it.
"""

import argparse
import json
import os
import random
import statistics
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

for _name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[_name] = "1"

from peers import PEERS  # noqa: E402, after the threads are set
from problems import SUITES, SYNTHETIC, WIDE, Assignments, Problem, Values  # noqa: E402

FOLDER = Path(__file__).parent / "cells"
O1, O2, O3, O3_WIDE = "O1", "O2", "O3", "O3-wide"


def names(figure: str) -> list[str]:
    """The problems of a figure."""
    if figure == O2:
        from tables import NAMES  # noqa: PLC0415, the tables are optional

        return NAMES
    return list({O1: SYNTHETIC, O3: SUITES, O3_WIDE: WIDE}[figure])


def problem(figure: str, name: str) -> Problem:
    """The problem of a name."""
    if figure == O2:
        from tables import table  # noqa: PLC0415

        return table(name)
    return {O1: SYNTHETIC, O3: SUITES, O3_WIDE: WIDE}[figure][name]()


def run(posed: Problem, peer: str, seed: int, width: int) -> dict[str, Any]:
    """Returns a cell: `width` trials are always under way, and the oldest ends first."""
    optimiser = PEERS[peer](posed, seed, width)
    noise = random.Random(seed)  # noqa: S311
    open_trials: list[Assignments] = []
    trials: list[tuple[Assignments, Values]] = []
    falls: list[tuple[int, float]] = []
    seconds: list[float] = []
    for count in range(posed.budget + width - 1):
        if count < posed.budget:
            before = time.process_time()
            open_trials.append(optimiser.ask())
            seconds.append(time.process_time() - before)
        if count >= width - 1:
            assignments = open_trials.pop(0)
            values = posed.report(assignments, noise)
            optimiser.tell(assignments, values)
            trials.append((assignments, values))
            regret = float(f"{posed.regret(trials):.6g}")
            if not falls or regret != falls[-1][1]:
                falls.append((len(trials), regret))
    suggest_s = round(statistics.median(seconds[-10:]), 4)
    return {"regret": falls, "suggest_cpu_s": suggest_s, "evaluations": len(trials)}


def kept(peer: str) -> dict[tuple[str, int, int], dict[str, Any]]:
    """The cells that were run, by problem, seed and width."""
    path = FOLDER / f"{peer}.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    cells = [json.loads(line) for line in lines]
    return {(c["problem"], c["seed"], c["width"]): c for c in cells}


def at(cell: dict[str, Any], evaluations: int) -> float:
    """The regret of a cell after so many evaluations."""
    return [regret for count, regret in cell["regret"] if count <= evaluations][-1]


def _wanted(asked: argparse.Namespace) -> Iterator[tuple[str, int, str]]:
    low, _, high = asked.seeds.partition("-")
    for seed in range(int(low), int(high or low) + 1):
        for name in asked.problems or names(asked.figure):
            for peer in asked.peers:
                yield name, seed, peer


def main() -> None:
    """Runs what is missing, the first seeds first."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("figure", choices=[O1, O2, O3, O3_WIDE])
    parser.add_argument("--peers", nargs="+", choices=list(PEERS), required=True)
    parser.add_argument("--seeds", default="0-19", help="such as 0-19")
    parser.add_argument("--problems", nargs="*")
    parser.add_argument("--width", type=int, default=1)
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    FOLDER.mkdir(exist_ok=True)
    posed: dict[str, Problem] = {}
    for name, seed, peer in _wanted(asked):
        if (name, seed, asked.width) in kept(peer):
            continue
        if name not in posed:
            posed[name] = problem(asked.figure, name)
        key = {"problem": name, "peer": peer, "seed": seed, "width": asked.width}
        cell = key | run(posed[name], peer, seed, asked.width)
        with (FOLDER / f"{peer}.jsonl").open("a") as file:
            file.write(json.dumps(cell) + "\n")
        final = cell["regret"][-1][1]
        print(f"{name} {peer} seed {seed}: {final:.4g}, {cell['suggest_cpu_s']} s", flush=True)


if __name__ == "__main__":
    main()
