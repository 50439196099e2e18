"""Measures the figures that the README shows, peers in the same run, and writes them into it.

`make bench P=sigopt-orchestrate` measures all of them, `python benchmarks/run.py S1 S6` some; what
is not measured anew stays as it was. O1 to O3 and O5 put together what `search/cells.py` has run.
CPU seconds are those of a process and its children; compare ratios, not absolute figures. S1
measures Ray Tune too where $RAY_PYTHON is an interpreter that has it; its wall-clock figures, as
S2's, S3's, S5's, K3's and K4's, want a machine with nothing else to do. K1 to K6 need root and
$ORCHESTRATE_KUBE, the program that starts a Kubernetes. Where all are measured, one that lacks what
it needs is left out, and that is said.
"""

import importlib
import json
import os
import platform
import sys
import time
from dataclasses import asdict
from pathlib import Path

from measuring import Row

HERE = Path(__file__).parent
RESULTS = HERE / "results.json"
README = HERE.parent / "README.md"
BEGIN, END = "<!-- measured: benchmarks/run.py writes from here -->", "<!-- to here -->"
FIGURES = {
    "K1": "on_kubernetes.trials:k1",
    "K2": "on_kubernetes.trials:k2",
    "K3": "on_kubernetes.trials:k3",
    "K4": "on_kubernetes.thousand:measure",
    "K5": "on_kubernetes.gangs:measure",
    "K6": "on_kubernetes.installed:measure",
    "P1": "hundred_thousand:measure",
    "E1": "eks_interruptions:measure",
    "E2": "ec2_faults:e2",
    "E3": "ec2_faults:e3",
    "E4": "ec2_faults:e4",
    "O1": "optimiser:o1",
    "O2": "optimiser:o2",
    "O3": "optimiser:o3",
    "O4": "optimiser:o4",
    "O5": "optimiser:o5",
    "S1": "durable_trials:measure",
    "S2": "latency:measure",
    "S3": "server_load:measure",
    "S4": "kills:measure",
    "S5": "restart:measure",
    "S6": "start:measure",
}


def machine() -> str:
    """What the figures were measured on, and how busy it was with other things."""
    load = os.getloadavg()[0]
    return f"{os.cpu_count()} cores, Python {platform.python_version()}, load before {load:.1f}"


def table(results: dict[str, dict[str, object]]) -> str:
    """The rows as Markdown."""
    lines = ["| # | what | measured | wanted | when and where |", "| --- | --- | --- | --- | --- |"]
    for figure in sorted(results):
        result = results[figure]
        for given in result["rows"]:
            row = Row(**given)
            place = f"{result['date']}, {result['machine']}"
            lines.append(f"| {row.figure} | {row.what} | {row.measured} | {row.wanted} | {place} |")
    return "\n".join(lines)


def main() -> None:
    """Measures, keeps the rows, and writes the table."""
    asked = sys.argv[1:] or list(FIGURES)
    unknown = [name for name in asked if name not in FIGURES]
    if unknown:
        sys.exit(f"run.py: no figure {unknown[0]!r}; there are {', '.join(FIGURES)}")
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for figure in asked:
        where = machine()
        print(f"{figure} ...", file=sys.stderr, flush=True)
        module, _, function = FIGURES[figure].partition(":")
        try:
            rows = getattr(importlib.import_module(module), function)()
        except SystemExit as lacking:
            if sys.argv[1:]:
                raise
            print(f"{figure} is left out: {lacking.code}", file=sys.stderr, flush=True)
            continue
        day = time.strftime("%Y-%m-%d")
        results[figure] = {"date": day, "machine": where, "rows": [asdict(row) for row in rows]}
        RESULTS.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")
    written = table(results)
    before, rest = README.read_text().split(BEGIN)
    README.write_text(f"{before}{BEGIN}\n{written}\n{END}{rest.split(END)[1]}")
    print(written)


if __name__ == "__main__":
    main()
