"""`orchestrate report`."""

from pathlib import Path
from typing import TextIO

import click

from sigopt_orchestrate.cli.options import (
    chosen,
    experiments_argument,
    home_option,
    json_option,
    store_option,
)
from sigopt_orchestrate.cli.views import print_json
from sigopt_orchestrate.dashboard import write_report
from sigopt_orchestrate.errors import StoreError
from sigopt_orchestrate.store import Store


@click.command("report")
@experiments_argument
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The page to write [default: report.html in the first experiment's folder].",
)
@click.option(
    "--notes",
    type=click.File(encoding="utf-8"),
    help="A text to show above the plots, line by line as it stands; - is standard input.",
)
@home_option
@store_option
@json_option
def report_command(
    *,
    experiments: tuple[int, ...],
    output: Path | None,
    notes: TextIO | None,
    home: Path,
    url: str | None,
    as_json: bool,
) -> None:
    """Write one self-contained HTML page about EXPERIMENTS, the newest by default."""
    store = Store.existing(home, url)
    records = [chosen(store, number) for number in dict.fromkeys(experiments or (None,))]
    path = output or store.home.experiment(records[0].id).report
    text = notes.read() if notes else None
    try:
        write_report([(record, store.trials(record.id)) for record in records], path, text)
    except OSError as error:
        raise StoreError(f"--output {path}: cannot write the report: {error.strerror}") from None
    if as_json:
        print_json({"experiments": [record.id for record in records], "report": str(path)})
    else:
        click.echo(path)
