"""The options and arguments that the commands share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from sigopt_orchestrate.errors import OrchestrateError
from sigopt_orchestrate.store import ExperimentRecord, Store

_Command = Callable[..., Any]

NUMBER = click.IntRange(1, 2**63 - 1)
"""What a store numbers: experiments, trials, clients, tokens."""

home_option: Callable[[_Command], _Command] = click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="ORCHESTRATE_HOME",
    default=".orchestrate",
    show_default=True,
    show_envvar=True,
    help="The folder that holds the store and the trials' files.",
)
store_option: Callable[[_Command], _Command] = click.option(
    "--store",
    "url",
    metavar="URL",
    envvar="ORCHESTRATE_STORE",
    show_envvar=True,
    help="The database, sqlite:///PATH or postgresql://USER@HOST/DATABASE [default: a file in the "
    "home folder].",
)
json_option: Callable[[_Command], _Command] = click.option(
    "--json", "as_json", is_flag=True, help="Print JSON for programs."
)


def _known(ctx: click.Context, _parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """The experiments that a shell may complete to, with their names."""
    home, url = ctx.params.get("home") or Path(".orchestrate"), ctx.params.get("url")
    try:
        records = Store.existing(Path(home), url).experiments()
    except OrchestrateError:
        return []
    found = [record for record in records if str(record.id).startswith(begun)]
    return [CompletionItem(record.id, help=record.spec.name) for record in found]


experiment_argument: Callable[[_Command], _Command] = click.argument(
    "experiment",
    type=NUMBER,
    required=False,
    metavar="[EXPERIMENT]",
    shell_complete=_known,
)
experiments_argument: Callable[[_Command], _Command] = click.argument(
    "experiments",
    type=NUMBER,
    nargs=-1,
    metavar="[EXPERIMENTS]...",
    shell_complete=_known,
)


def chosen(store: Store, experiment_id: int | None) -> ExperimentRecord:
    """Returns the experiment with this id, or the newest where none is given."""
    return store.newest() if experiment_id is None else store.experiment(experiment_id)
