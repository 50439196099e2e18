"""`cmn bench`: what training and scoring cost on this machine, on the user's data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from cmn.cli.inputs import load_split, use_threads
from cmn.cli.options import data_options, hyperparameter_options, json_only
from cmn.cli.output import columns, emit
from cmn.hyperparameters import Hyperparameters


@click.command()
@data_options
@hyperparameter_options
@json_only
def bench(
    *,
    data: str,
    min_rating: float | None,
    threads: int | None,
    metrics_out: Path | None,
    json_only: bool,
    **hyperparameters: Any,
) -> None:
    """Measure the CPU time of training steps, of exact scoring and of an evaluation."""
    given = {name: value for name, value in hyperparameters.items() if value is not None}
    settings = Hyperparameters(**given)
    split, _ = load_split(data, min_rating, None, None)
    use_threads(threads)
    from cmn.throughput import measure  # noqa: PLC0415  imports torch

    costs = measure(split, settings)
    if not json_only:
        rows = [[name, f"{value:,.1f}"] for name, value in costs.items()]
        click.echo(columns(["cost", "value"], rows))
    emit(costs, metrics_out)
