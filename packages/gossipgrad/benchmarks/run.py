"""Measures T1 to T10 and writes each table into the README as soon as it is there.

`make bench P=gossipgrad` runs all; `python packages/gossipgrad/benchmarks/run.py T3 T9` some;
`--quick` with small sizes and without touching the README, to see that everything works. T1 to T4
and T7 need the network lab (root; see lab.py), T5 the data; what cannot run says why. A run that
was cut goes on: what is in results.json is not measured again, unless `--fresh` is given.
"""

import argparse
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable

import faults
import learning
import markdown
import network
import overhead
from cells import Cells
from lab import Skipped

GROUPS: list[tuple[tuple[str, ...], Callable[[bool, Cells], dict[str, str]]]] = [
    (("T9",), overhead.per_exchange),
    (("T8",), learning.consensus),
    (("T1", "T2", "T4"), network.sizes),
    (("T3",), network.rivals),
    (("T7",), network.straggler),
    (("T6",), faults.kills),
    (("T10",), overhead.first_step),
    (("T5",), learning.accuracy),
]


def main() -> None:
    """Runs the tables that were asked for."""
    known = [name for names, _ in GROUPS for name in names]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tables", nargs="*", metavar="TABLE", help=f"of {', '.join(known)}")
    parser.add_argument("--quick", action="store_true", help="small sizes; leaves the README alone")
    parser.add_argument("--fresh", action="store_true", help="measure again what is there")
    parser.add_argument("--kept", action="store_true", help="write what is there, measure nothing")
    arguments = parser.parse_args()
    if unknown := set(arguments.tables) - set(known):
        parser.error(f"no table {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    cells = Cells(None) if arguments.quick else Cells(fresh=arguments.fresh, closed=arguments.kept)
    failed: list[str] = []
    for names, measure in GROUPS:
        if arguments.tables and not set(names) & set(arguments.tables):
            continue
        start = time.perf_counter()
        try:
            tables = measure(arguments.quick, cells)
        except Skipped as reason:
            print(f"{', '.join(names)}: skipped: {reason}\n", flush=True)
            continue
        except (RuntimeError, subprocess.CalledProcessError) as error:
            print(f"{', '.join(names)}: failed: {error}\n", flush=True)
            failed += names
            continue
        for name, text in tables.items():
            print(f"{name}\n{text}\n", flush=True)
            if not arguments.quick:
                markdown.write(name, text)
        print(f"({', '.join(names)}: {time.perf_counter() - start:.0f} s)\n", flush=True)
    if not (arguments.quick or arguments.kept):
        today = time.strftime("%Y-%m-%d")
        machine = f"{os.cpu_count()} cores, Linux {platform.release()}"
        python = platform.python_version()
        markdown.write("machine", f"Last measured {today} on {machine}, Python {python}.")
    if failed:
        sys.exit(f"not measured: {', '.join(failed)}")


if __name__ == "__main__":
    main()
