"""`orchestrate artifacts`."""

from dataclasses import asdict
from pathlib import Path

import click
from rich.table import Table
from rich.text import Text

from sigopt_orchestrate.cli.options import (
    NUMBER,
    chosen,
    experiment_argument,
    home_option,
    json_option,
    store_option,
)
from sigopt_orchestrate.cli.tables import open_console
from sigopt_orchestrate.cli.views import print_json
from sigopt_orchestrate.errors import StoreError
from sigopt_orchestrate.store import Store


@click.command("artifacts")
@experiment_argument
@click.option("--trial", type=NUMBER, help="Only this trial's.")
@click.option(
    "--to",
    type=click.Path(path_type=Path, file_okay=False),
    help="Fetch them into this folder; what is there already is not fetched again.",
)
@home_option
@store_option
@json_option
def artifacts_command(
    *,
    experiment: int | None,
    trial: int | None,
    to: Path | None,
    home: Path,
    url: str | None,
    as_json: bool,
) -> None:
    """List what an experiment's trials, the newest's by default, have left in its bucket.

    That is the file's `artifacts`: outputs, checkpoints of trials that are not done, and logs and
    metrics ("records"). With --to they are fetched; each file's SHA-256 is checked before it gets
    its name.
    """
    from sigopt_orchestrate.artifacts.reading import Shelf  # noqa: PLC0415 - boto3 starts slowly

    store = Store.existing(home, url)
    record = chosen(store, experiment)
    if trial is not None and trial > (count := len(store.trials(record.id))):
        raise StoreError(f"--trial {trial}: experiment {record.id} has {count} trials")
    shelf = Shelf(record)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("trial", "attempt", "kind", "name", "bytes", "fetched to" if to else "at"):
        table.add_column(name, justify="right" if name in {"trial", "bytes"} else "left")
    views = []
    for one in shelf.find(trial):
        path = None if to is None else shelf.fetch(one, to)
        views.append({**asdict(one), **({} if path is None else {"path": str(path)})})
        attempt = str(one.attempt or "")
        where = Text(str(path or one.uri))
        size = str(one.size)
        table.add_row(str(one.trial), attempt, one.kind, Text(one.name), size, where)
    if as_json:
        print_json(views)
    elif views:
        open_console().print(table)
    else:
        click.echo("there is nothing yet")
