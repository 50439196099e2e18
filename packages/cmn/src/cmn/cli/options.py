"""Options that several commands share."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from cmn.hyperparameters import Hyperparameters, protocol_value

if TYPE_CHECKING:
    from collections.abc import Callable

DATA_HELP = "A set's name (`cmn data list`), or a file: .csv, .parquet, .inter, .dat, .npz, ..."
Command = TypeVar("Command", bound="Callable[..., Any]")


def _all_of(command: Command, *options: Callable[[Command], Command]) -> Command:
    for option in reversed(options):
        command = option(command)
    return command


def json_only(command: Command) -> Command:
    """Adds `--json`."""
    return click.option("--json", "json_only", is_flag=True, help="Print the JSON line only.")(
        command
    )


def data_options(command: Command) -> Command:
    """Adds what says which interactions, with how many threads, and where metrics go."""
    return _all_of(
        command,
        click.option("--data", required=True, help=DATA_HELP),
        click.option("--min-rating", type=float, help="Rows rated lower are no interactions."),
        threads_option,
        click.option(
            "--metrics-out", type=click.Path(path_type=Path), help="Also write the JSON line here."
        ),
    )


def threads_option(command: Command) -> Command:
    """Adds `--threads`."""
    return click.option("--threads", type=int, help="CPU threads; as many as there are otherwise.")(
        command
    )


def split_options(command: Command) -> Command:
    """Adds how a data set is split; what is not given is as the model was trained, or usual."""
    return _all_of(
        command,
        click.option("--split-seed", type=click.IntRange(0), help="Seed of a random split; 0."),
        click.option(
            "--split-by",
            type=click.Choice(["random", "latest", "time"]),
            help="One interaction of each user at random (the usual), the latest one of each user,"
            " or the last tenth of all; the last two need timestamps.",
        ),
    )


def part_options(command: Command) -> Command:
    """Adds which part of a split to measure on, and how."""
    return _all_of(
        command,
        click.option(
            "--split",
            "part",
            type=click.Choice(["validation", "test"]),
            default="validation",
            show_default=True,
        ),
        split_options,
        click.option(
            "--rivals", type=click.IntRange(1), help="Rank against so many sampled items too."
        ),
        click.option(
            "--rivals-by",
            type=click.Choice(["uniform", "popularity"]),
            default="uniform",
            show_default=True,
        ),
        click.option(
            "--sampled-only",
            is_flag=True,
            help="Leave full ranking out: rivals alone, much quicker.",
        ),
    )


def hyperparameter_options(command: Command) -> Command:
    """Adds one option for each setting of a fit."""
    for setting in reversed(fields(Hyperparameters)):
        flag = f"--{setting.name.replace('_', '-')}"
        usual = protocol_value(setting)
        if isinstance(usual, bool):
            flag = f"{flag}/--no-{flag[2:]}"
        choices = setting.metadata.get("choices")
        command = click.option(
            flag,
            setting.name,
            default=None,
            type=click.Choice(choices) if choices else type(usual),
            help=f"{setting.metadata['meaning']}  [default: {usual}]",
        )(command)
    return command
