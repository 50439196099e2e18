"""`cmn data`: the named sets, their downloads, and what is odd about them."""

from __future__ import annotations

import click

from cmn.cli.options import json_only
from cmn.cli.output import ByteProgress, columns, emit


@click.group()
def data() -> None:
    """List, download and audit data sets."""


@data.command("list")
@json_only
def list_sets(*, json_only: bool) -> None:
    """List the named sets, whether they are here, and on what terms."""
    from cmn.datasets import SOURCES  # noqa: PLC0415  imports scipy
    from cmn.downloads import data_folder  # noqa: PLC0415

    rows = {}
    for name, source in SOURCES.items():
        files = [data_folder() / name / remote.file for remote in source.remotes]
        here = all(file.is_file() for file in files)
        rows[name] = {"summary": source.summary, "terms": source.terms, "here": here}
    if not json_only:
        table = [
            [name, "yes" if row["here"] else "no", f"{row['summary']} ({row['terms']})"]
            for name, row in rows.items()
        ]
        click.echo(columns(["name", "here", "what"], table))
    emit(rows)


@data.command()
@click.argument("name")
def get(name: str) -> None:
    """Download a named set into $CMN_DATA, or the user's cache; what is there already stays."""
    from cmn.datasets import get_dataset  # noqa: PLC0415  imports scipy

    emit({"name": name, "folder": str(get_dataset(name, ByteProgress().report))})


@data.command()
@click.argument("data")
@click.option("--min-rating", type=float, help="Rows rated lower are no interactions.")
@json_only
def audit(data: str, *, min_rating: float | None, json_only: bool) -> None:
    """Count what is in a data set, and what of its test set is not what it claims to be."""
    from cmn.audit import audit as count  # noqa: PLC0415  imports scipy
    from cmn.datasets import load_dataset  # noqa: PLC0415

    counts = count(load_dataset(data, min_rating))
    if not json_only:
        rows = [
            [name, f"{value:,}" if isinstance(value, int) else f"{value:.5f}"]
            for name, value in counts.items()
        ]
        click.echo(columns(["count", "of"], rows))
    emit(counts)
