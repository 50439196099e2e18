"""`orchestrate report`."""

from pathlib import Path

import click

from sigopt_orchestrate.cli.options import (
    chosen,
    experiment_argument,
    home_option,
    json_option,
    store_option,
)
from sigopt_orchestrate.cli.views import print_json
from sigopt_orchestrate.dashboard import write_report
from sigopt_orchestrate.errors import StoreError
from sigopt_orchestrate.store import Store


@click.command("report")
@experiment_argument
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The page to write [default: report.html in the experiment's folder].",
)
@home_option
@store_option
@json_option
def report_command(
    experiment: int | None, output: Path | None, home: Path, url: str | None, as_json: bool
) -> None:
    """Write one self-contained HTML page about an experiment, the newest by default."""
    store = Store.existing(home, url)
    record = chosen(store, experiment)
    path = output or store.home.experiment(record.id).report
    try:
        write_report(record, store.trials(record.id), path)
    except OSError as error:
        raise StoreError(f"--output {path}: cannot write the report: {error.strerror}") from None
    if as_json:
        print_json({"id": record.id, "report": str(path)})
    else:
        click.echo(path)
