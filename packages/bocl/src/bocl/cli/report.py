"""`bocl report`: a page about a run."""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--out", type=click.Path(path_type=Path), help="The page; FOLDER/report.html if not given."
)
def command(folder: Path, out: Path | None) -> None:
    """Write one HTML page about the run in FOLDER.

    Accuracy matrix, growth per layer and task, attention from task to task, the search's model with
    its trials, accuracy against size. No scripts, nothing fetched: it opens anywhere.
    """
    from bocl.report import write_run_page  # noqa: PLC0415  imports torch and matplotlib

    click.echo(json.dumps({"report": str(write_run_page(folder, out))}))
