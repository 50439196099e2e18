"""`orchestrate run` and `orchestrate resume`."""

from pathlib import Path
from typing import Any

import click

from sigopt_orchestrate.cli.keeping import keep_all
from sigopt_orchestrate.cli.options import (
    chosen,
    experiment_argument,
    home_option,
    json_option,
    store_option,
)
from sigopt_orchestrate.cli.running import check_runnable, check_secrets, run_to_its_end
from sigopt_orchestrate.cli.views import print_json
from sigopt_orchestrate.errors import OrchestrateError, SpecError
from sigopt_orchestrate.reconcile import create, steer
from sigopt_orchestrate.spec import Experiment, load_experiment
from sigopt_orchestrate.store import Store

_DASHED = "sigopt_orchestrate.dashed"


class _FileOrCommand(click.Command):
    """Remembers whether `--` was given: what follows it is a command, even if it is one word."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta[_DASHED] = "--" in args
        return super().parse_args(ctx, args)


@click.command("run", cls=_FileOrCommand, context_settings={"ignore_unknown_options": False})
@click.argument("words", nargs=-1, required=True, metavar="FILE | -- COMMAND...")
@click.option("--name", help="What to call a single run [default: its program].")
@home_option
@store_option
@json_option
@click.pass_context
def run_command(
    ctx: click.Context,
    words: tuple[str, ...],
    *,
    name: str | None,
    home: Path,
    url: str | None,
    as_json: bool,
) -> None:
    """Run the experiment FILE to its end, or one COMMAND as a single run.

    FILE's command runs in the file's folder. If orchestrate is killed, `orchestrate resume` goes
    on. `orchestrate run -- python train.py` runs a command once, here, and keeps its log, and
    whatever metrics it reports.
    """
    if len(words) == 1 and not ctx.meta[_DASHED]:
        file = Path(words[0])
        spec, directory, where = load_experiment(file), file.absolute().parent, str(file)
    else:
        spec, directory, where = _single_run(words, name), Path.cwd(), "the command line"
    check_runnable(spec, directory, where)
    store = Store(home, url)
    run_to_its_end(store, create(store, spec, directory), as_json=as_json)


@click.command("resume")
@experiment_argument
@click.option(
    "--all",
    "all_of_them",
    is_flag=True,
    help="Go on with whatever is interrupted, now and later, until this is ended itself.",
)
@home_option
@store_option
@json_option
def resume_command(
    *,
    experiment: int | None,
    all_of_them: bool,
    home: Path,
    url: str | None,
    as_json: bool,
) -> None:
    """Go on with an experiment, the newest by default, after a pause, a stop or a crash.

    Trials that still run are taken over, those that ended meanwhile are collected, and those that
    were lost or stopped run again. If it is only paused, its own orchestrate goes on.
    """
    if all_of_them:
        if experiment is not None:
            raise OrchestrateError("--all and an experiment exclude each other")
        keep_all(home, url)
        return
    store = Store.existing(home, url)
    record = chosen(store, experiment)
    if record.paused and steer.resume_paused(store, record):
        said: dict[str, Any] = {"id": record.id, "paused": False}
        if as_json:
            print_json(said)
        else:
            click.echo(f"experiment {record.id} goes on")
        return
    check_secrets(record.spec, f"experiment {record.id}")
    run_to_its_end(store, record, as_json=as_json)


def _single_run(words: tuple[str, ...], name: str | None) -> Experiment:
    for option, given in (("the command", words[0]), ("--name", name)):
        if given is not None and not given.strip():
            raise SpecError(f"{option}: is empty; it must not be")
    literal = [word.replace("{", "{{").replace("}", "}}") for word in words]
    return Experiment.model_validate(
        {
            "name": (name or Path(words[0]).name or words[0])[:100],
            "command": literal,
            "parameters": [],
            "metrics": [],
            "budget": 1,
        }
    )
