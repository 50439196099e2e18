"""Benchmark: measures rows C1 to C6 and writes them into the package's README.

    python packages/cmn/benchmarks/run.py              # every row; C1 and C2 need CMN_DATA
    python packages/cmn/benchmarks/run.py C3 C4        # some; the others stay as they are

A row is its figure, the target and what was measured, all on one thread of this machine.
"""

import argparse
import re
from pathlib import Path

import torch
from ablation import ablations
from cost import catalogue_scores, full_evaluation, growth, training_step
from quality import best, paper

README = Path(__file__).parents[1] / "README.md"
ROWS = {
    "C1": [paper, ablations],
    "C2": [lambda: best("citeulike-a"), lambda: best("movielens-small")],
    "C3": [lambda: training_step(512), lambda: training_step(2048)],
    "C4": [catalogue_scores],
    "C5": [full_evaluation],
    "C6": [growth],
}


def write(row: str, lines: list[str]) -> None:
    """Replaces a row's lines in the README's table."""
    block = "\n".join(lines)
    text = README.read_text(encoding="utf-8")
    pattern = rf"(?:\| {row}, .*\n)+"
    if not re.search(pattern, text):
        raise SystemExit(f"{README} has no row {row} to replace")
    README.write_text(re.sub(pattern, lambda _: f"{block}\n", text), encoding="utf-8")


def main() -> None:
    """Runs the rows that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"of {', '.join(ROWS)}")
    rows = parser.parse_args().rows or list(ROWS)
    unknown = [row for row in rows if row not in ROWS]
    if unknown:
        parser.error(f"row is {unknown[0]!r}; {', '.join(ROWS)} are allowed")
    torch.set_num_threads(1)
    for row in rows:
        lines = [line for measure in ROWS[row] for line in measure()]
        print("\n".join(lines), flush=True)
        write(row, lines)


if __name__ == "__main__":
    main()
