"""The tables of the README, from real runs: make bench P=bocl, or this file with table names.

Every finished cell (a method on a stream with a seed) is a line of results.jsonl beside this file;
a run that was cut goes on where it stopped. `--tables-only` rewrites the README from what is there.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from streams import TABLES, run_table
from tables import write_tables

from bocl.comparison import Outcomes

RESULTS = Path(__file__).with_name("results.jsonl")


def main() -> None:
    """Runs the tables named on the command line, all of them by default."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tables", nargs="*", default=list(TABLES), help=", ".join(TABLES))
    parser.add_argument("--methods", help="only these, separated by commas")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--tables-only", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    outcomes = Outcomes(RESULTS)
    if not arguments.tables_only:
        methods = arguments.methods.split(",") if arguments.methods else None
        for seed in range(arguments.seeds):
            for table in arguments.tables:
                run_table(table, methods, seed, outcomes)
    write_tables(outcomes)


if __name__ == "__main__":
    main()
