"""`orchestrate status`, `orchestrate list` and `orchestrate best`."""

from datetime import UTC, datetime
from pathlib import Path

import click
from rich.table import Table
from rich.text import Text

from sigopt_orchestrate.artifacts.keys import output_uri
from sigopt_orchestrate.cli.options import (
    chosen,
    experiment_argument,
    home_option,
    json_option,
    store_option,
)
from sigopt_orchestrate.cli.places import read_place
from sigopt_orchestrate.cli.tables import open_console, print_best, trial_table
from sigopt_orchestrate.cli.views import print_json, summary_view, trial_view
from sigopt_orchestrate.dashboard import best_trials
from sigopt_orchestrate.store import Store


@click.command("status")
@experiment_argument
@home_option
@store_option
@json_option
def status_command(experiment: int | None, home: Path, url: str | None, as_json: bool) -> None:
    """Show an experiment, the newest by default, and its trials."""
    store = Store.existing(home, url)
    record = chosen(store, experiment)
    trials = store.trials(record.id)
    view = summary_view(store, record, trials)
    folder = store.home.experiment(record.id)
    if as_json:
        print_json({**view, "trials": [trial_view(record, trial, folder) for trial in trials]})
        return
    places = {
        trial.number: f"{place.where} ({place.asked})" if place.asked else place.where
        for trial in trials
        if trial.state.in_flight
        and (place := read_place(folder.attempt(trial.number, trial.attempt))) is not None
    }
    console = open_console()
    counts = ", ".join(f"{count} {state}" for state, count in view["trials"].items())
    console.print(Text(f"experiment {record.id}: {record.spec.name}", style="bold"))
    console.print(f"{view['state']}: {view['observed']}/{record.spec.budget} observed; {counts}")
    if view["cost_usd"] is not None:
        console.print(f"cost so far: {view['cost_usd']:.4f} USD of instances, idle time included")
    if record.reason:
        console.print(Text(record.reason))
    console.print(trial_table(record.spec, trials, places=places))
    if view["state"] == "interrupted":
        console.print(f"its orchestrate is gone; `orchestrate resume {record.id}` goes on")


@click.command("list")
@home_option
@store_option
@json_option
def list_command(home: Path, url: str | None, as_json: bool) -> None:
    """Show all experiments, newest first."""
    store = Store.existing(home, url)
    rows = [(r, summary_view(store, r, store.trials(r.id))) for r in store.experiments()]
    if as_json:
        print_json([view for _, view in rows])
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("id", "name", "state", "observed", "created"):
        table.add_column(name)
    for record, view in rows:
        created = datetime.fromtimestamp(record.created_at, UTC).astimezone()
        observed = f"{view['observed']}/{view['budget']}"
        day = f"{created:%Y-%m-%d %H:%M}"
        table.add_row(str(record.id), Text(record.spec.name), view["state"], observed, day)
    open_console().print(table)


@click.command("best")
@experiment_argument
@home_option
@store_option
@json_option
def best_command(experiment: int | None, home: Path, url: str | None, as_json: bool) -> None:
    """Show an experiment's best trial, or the Pareto front of two objectives, beside the defaults.

    With --json, the best trials alone.
    """
    store = Store.existing(home, url)
    record = chosen(store, experiment)
    trials = store.trials(record.id)
    best = best_trials(record.spec, trials)
    if as_json:
        folder = store.home.experiment(record.id)
        print_json([trial_view(record, trial, folder) for trial in best])
    else:
        console = open_console()
        print_best(console, record.spec, trials)
        for trial in best:
            kept = output_uri(record, trial.number, trial.attempt)
            if kept is not None:
                console.print(f"trial {trial.number}'s output: {kept}", markup=False)
