"""`bocl verify`: check that every task still is what it was certified to be."""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
def command(folder: Path) -> None:
    """Check every task's certificate in the FOLDER of a run.

    Exit status 2 and one sentence at the first weight or logit that differs in a single bit.
    """
    from bocl import certificate, checkpoint  # noqa: PLC0415  imports torch
    from bocl.learner import BOCL  # noqa: PLC0415

    learner = BOCL.load(folder)
    outcomes = []
    for task in range(learner.tasks):
        issued = checkpoint.load_certificate(folder, task)
        outcomes.append(certificate.verify(learner.fitted_network(), task, issued))
        click.echo(f"task {task}: {outcomes[-1]}", err=True)
    click.echo(json.dumps({"tasks": len(outcomes), "exact": outcomes.count("exact")}))
