"""`orchestrate top`: what runs now, in all experiments."""

import sys
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import click
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from sigopt_orchestrate.cli.options import home_option, json_option, store_option
from sigopt_orchestrate.cli.places import Place, read_place
from sigopt_orchestrate.cli.tables import assignments_text, open_console
from sigopt_orchestrate.cli.views import print_json
from sigopt_orchestrate.dashboard.wording import duration
from sigopt_orchestrate.executors import Usage, usage
from sigopt_orchestrate.lifecycle import ExperimentState
from sigopt_orchestrate.store import (
    ExperimentRecord,
    Store,
    TrialRecord,
    has_leader,
)

_Key = tuple[int, int]


class _Row(NamedTuple):
    """One trial in flight; its usage if it is here, its place if it is in a cluster."""

    experiment: ExperimentRecord
    trial: TrialRecord
    usage: Usage | None
    place: Place | None


@click.command("top")
@click.option("--once", is_flag=True, help="Show it once, and end.")
@click.option("--interval", default=1.0, show_default=True, type=click.FloatRange(min=0.1))
@home_option
@store_option
@json_option
def top_command(*, once: bool, interval: float, home: Path, url: str | None, as_json: bool) -> None:
    """Show the trials that run now, and what they use; Ctrl-C ends it.

    Into a pipe it is shown once.
    """
    store = Store.existing(home, url)
    if as_json:
        print_json([_view(*row) for row in _rows(store)])
        return
    console = open_console()
    if once or not console.is_terminal:
        console.print(_table(console, _rows(store), {}, 0.0))
        return
    try:
        _follow(console, store, interval)
    except KeyboardInterrupt:
        sys.exit(0)


def _follow(console: Console, store: Store, interval: float) -> None:
    before: dict[_Key, float] = {}
    at = time.monotonic()
    with Live(console=console, auto_refresh=False, screen=True) as live:
        while True:
            rows, now = _rows(store), time.monotonic()
            live.update(_table(console, rows, before, now - at), refresh=True)
            before = {(e.id, t.number): u.cpu_s for e, t, u, _ in rows if u is not None}
            at = now
            time.sleep(interval)


def _rows(store: Store) -> list[_Row]:
    """The trials in flight of every experiment that somebody leads."""
    rows: list[_Row] = []
    for record in store.experiments():
        if record.state is not ExperimentState.RUNNING or not has_leader(store, record.id):
            continue
        folder = store.home.experiment(record.id)
        running = [trial for trial in store.trials(record.id) if trial.state.in_flight]
        for trial in running:
            files = folder.attempt(trial.number, trial.attempt)
            rows.append(_Row(record, trial, usage(files), read_place(files)))
    return rows


def _table(
    console: Console,
    rows: list[_Row],
    before: Mapping[_Key, float],
    elapsed_s: float,
) -> Table:
    """The rows, with the columns that a console of this width has room for."""
    wide = console.width >= 72
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("exp", "trial", "time", "cpu", "memory", "tries")[: 6 if wide else 5]:
        table.add_column(name, justify="right", no_wrap=True)
    places = any(row.place is not None for row in rows)
    if places:
        table.add_column("asks for", no_wrap=True)
        table.add_column("node", no_wrap=True, overflow="ellipsis")
    if wide:
        table.add_column("parameters", no_wrap=True, overflow="ellipsis")
    for record, trial, used, place in rows[: max(1, console.height - 2)]:
        cpu = ""
        if used is not None and (record.id, trial.number) in before and elapsed_s > 0:
            spent = used.cpu_s - before[record.id, trial.number]
            cpu = f"{max(0.0, spent) / elapsed_s:.0%}"
        cells = [
            str(record.id),
            str(trial.number),
            duration(time.time() - (trial.started_at or time.time())),
            cpu,
            "" if used is None else f"{used.memory / 2**20:.0f} MiB",
            str(trial.attempt),
        ]
        row = cells if wide else cells[:5]
        if places:
            row += ["", ""] if place is None else [place.asked, place.where]
        if wide:
            row.append(assignments_text(trial))
        table.add_row(*(Text(cell) for cell in row))
    if not rows:
        table.title = "nothing runs"
    return table


def _view(
    record: ExperimentRecord, trial: TrialRecord, used: Usage | None, place: Place | None
) -> dict[str, Any]:
    return {
        "experiment": record.id,
        "trial": trial.number,
        "attempt": trial.attempt,
        "state": str(trial.state),
        "started_at": trial.started_at,
        "assignments": trial.assignments,
        "cpu_s": None if used is None else used.cpu_s,
        "memory": None if used is None else used.memory,
        "processes": None if used is None else used.processes,
        "place": None if place is None else asdict(place),
    }
