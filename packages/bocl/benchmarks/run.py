"""The README's tables, from real runs: make bench P=bocl, or this file with the names of tables.

Every finished cell (a method on a stream with a seed) is a line of results.jsonl beside this file;
a run that was cut goes on where it stopped. B6 and B8 are measured anew once their file is removed.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

import torch
from streams import TABLES, run_table
from tables import LANDSCAPE, THROUGHPUT, write_tables

from bocl.comparison import Outcomes

HERE = Path(__file__).parent
RESULTS = HERE / "results.jsonl"


def main() -> None:
    """Runs the tables named on the command line, all of them by default."""
    parser = argparse.ArgumentParser(description=__doc__)
    names = [*TABLES, "B6", "B8"]
    parser.add_argument("tables", nargs="*", default=names, help=", ".join(names))
    parser.add_argument("--methods", nargs="+", help="of B2 to B5 only these methods or rows")
    parser.add_argument("--seeds", type=int, default=3, help="0 ... of B2 to B5")
    parser.add_argument("--tables-only", action="store_true", help="measure nothing")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    outcomes = Outcomes(RESULTS)
    if not arguments.tables_only:
        for seed in range(arguments.seeds):
            for table in arguments.tables:
                if table in TABLES:
                    run_table(table, arguments.methods, seed, outcomes)
        if "B6" in arguments.tables and not LANDSCAPE.exists():
            subprocess.run([sys.executable, HERE / "regret.py"], check=True)
        if "B8" in arguments.tables and not THROUGHPUT.exists():
            measure_throughput()
    write_tables(outcomes)


def measure_throughput() -> None:
    """Keeps the images per CPU second of each loop, Avalanche's where $BOCL_PEERS has it."""
    python = os.environ.get("BOCL_PEERS", sys.executable)
    command = [python, "-W", "ignore", HERE / "throughput.py"]
    found = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    THROUGHPUT.write_text(found.stdout.splitlines()[-1] + "\n")


if __name__ == "__main__":
    main()
