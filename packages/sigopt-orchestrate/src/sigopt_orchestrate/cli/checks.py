"""How `doctor` and `cluster test` say what they have found."""

import sys
from collections.abc import Sequence
from dataclasses import asdict

from rich.table import Table
from rich.text import Text

from sigopt_orchestrate.cli.tables import open_console
from sigopt_orchestrate.cli.views import print_json
from sigopt_orchestrate.executors.checks import Check

_STYLES = {"ok": "green", "note": "yellow", "bad": "bold red"}


def report(checks: Sequence[Check], *, as_json: bool) -> None:
    """Prints what was found, and exits 1 if any of it is bad."""
    if as_json:
        print_json([asdict(one) for one in checks])
    else:
        table = Table(box=None, pad_edge=False, show_header=False)
        table.add_column(no_wrap=True)
        table.add_column(no_wrap=True)
        table.add_column()
        for one in checks:
            table.add_row(Text(one.verdict, style=_STYLES[one.verdict]), one.check, Text(one.said))
        open_console().print(table)
    if any(one.verdict == "bad" for one in checks):
        sys.exit(1)
