"""`cmn tune-space`: print an experiment file for a hyperparameter tuner."""

from __future__ import annotations

from typing import Any

import click

from cmn.cli.options import DATA_HELP
from cmn.hyperparameters import PROTOCOLS
from cmn.tune_space import SPACES, experiment

ONLY_HELP = "Settings to tune, separated by commas; " + "; ".join(
    f"of {protocol}: {', '.join(space)}" for protocol, space in SPACES.items()
)


@click.command("tune-space")
@click.option("--data", required=True, help=DATA_HELP)
@click.option(
    "--protocol",
    default="default",
    show_default=True,
    type=click.Choice(PROTOCOLS),
    help="What the settings not tuned are.",
)
@click.option("--only", help=ONLY_HELP)
@click.option("--epochs", type=click.IntRange(1), help="Fix the most epochs of every trial.")
@click.option("--budget", default=40, show_default=True, type=click.IntRange(1), help="Trials.")
@click.option(
    "--parallel", default=2, show_default=True, type=click.IntRange(1), help="Trials at a time."
)
def tune_space(
    *, data: str, protocol: str, only: str | None, epochs: int | None, budget: int, parallel: int
) -> None:
    """Print an experiment file for sigopt-orchestrate: `cmn tune-space ... > experiment.yml`.

    Trials are runs of `cmn train` and see validation only.
    """
    settings = None if only is None else [name.strip() for name in only.split(",")]
    fixed: dict[str, Any] = {} if protocol == "default" else {"protocol": protocol}
    if epochs is not None:
        fixed["epochs"] = epochs
    text = experiment(data, settings=settings, fixed=fixed, budget=budget, parallel=parallel)
    click.echo(text, nl=False)
