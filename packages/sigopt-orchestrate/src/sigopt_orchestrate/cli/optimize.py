"""`orchestrate optimize`: an experiment file's search over a command that it need not name."""

from pathlib import Path

import click

from sigopt_orchestrate.cli.options import home_option, json_option, store_option
from sigopt_orchestrate.cli.running import check_runnable, run_to_its_end
from sigopt_orchestrate.errors import SpecError
from sigopt_orchestrate.interchange.old_files import migrate_files, read_yaml, written
from sigopt_orchestrate.reconcile import create
from sigopt_orchestrate.spec import load_experiment, parse_experiment
from sigopt_orchestrate.spec.document import EXTENDS
from sigopt_orchestrate.store import Store


@click.command("optimize", context_settings={"ignore_unknown_options": True})
@click.option(
    "--experiment-file",
    "-e",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    default="experiment.yml",
    show_default=True,
    help="Ours, or SigOpt's.",
)
@home_option
@store_option
@json_option
@click.argument("words", nargs=-1, required=True, type=click.UNPROCESSED, metavar="COMMAND...")
def optimize_command(
    words: tuple[str, ...], *, file: Path, home: Path, url: str | None, as_json: bool
) -> None:
    """Run COMMAND as often as the experiment file's budget says, to make its metrics good.

    The command runs here. {parameter} in it stands for the trial's value; a literal brace is
    doubled. An experiment file of SigOpt's is read as `orchestrate migrate` reads it.
    """
    data = read_yaml(file)
    ours = {"parallel_bandwidth", "observation_budget"}.isdisjoint(data)
    if ours and ("budget" in data or EXTENDS in data):
        spec = load_experiment(file)
        if spec.command is not None:
            raise SpecError(f"{file}: command: is given twice, there and on the command line")
    else:
        done = migrate_files({file: data}, command="true")
        for note in done.notes:
            click.echo(f"- {note}", err=True)
        spec = parse_experiment(written(done), str(file))
    spec = type(spec).model_validate(spec.model_dump(by_alias=True) | {"command": words})
    check_runnable(spec, Path.cwd(), "the command line")
    store = Store(home, url)
    run_to_its_end(store, create(store, spec, Path.cwd()), as_json=as_json)
