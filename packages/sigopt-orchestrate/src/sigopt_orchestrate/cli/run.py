"""`orchestrate run` and `orchestrate resume`."""

import os
import shutil
import signal
import sys
from contextlib import closing
from pathlib import Path

import click

from sigopt_orchestrate.cli.options import (
    chosen,
    experiment_argument,
    home_option,
    json_option,
    store_option,
)
from sigopt_orchestrate.cli.progress import progress
from sigopt_orchestrate.cli.tables import open_console, print_best
from sigopt_orchestrate.cli.views import print_json, summary_view
from sigopt_orchestrate.dashboard import best_trials
from sigopt_orchestrate.errors import SpecError
from sigopt_orchestrate.executors import LocalExecutor
from sigopt_orchestrate.lifecycle import ExperimentState
from sigopt_orchestrate.optimizer import SuggestionService
from sigopt_orchestrate.reconcile import RunLoop
from sigopt_orchestrate.spec import Experiment, load_experiment, placeholders
from sigopt_orchestrate.store import ExperimentRecord, Store, lead


@click.command("run")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@home_option
@store_option
@json_option
def run_command(file: Path, home: Path, url: str | None, as_json: bool) -> None:
    """Run the experiment FILE to its end.

    The command runs in the file's folder. If orchestrate is killed, `orchestrate resume` goes on.
    """
    spec = load_experiment(file)
    directory = file.absolute().parent
    _check_program(spec, directory, file)
    _check_secrets(spec, str(file))
    store = Store(home, url)
    _lead(store, store.create_experiment(spec, directory), as_json=as_json)


@click.command("resume")
@experiment_argument
@home_option
@store_option
@json_option
def resume_command(experiment: int | None, home: Path, url: str | None, as_json: bool) -> None:
    """Go on with an experiment, the newest by default, after a stop or a crash.

    Trials that still run are taken over, those that ended meanwhile are collected, and those that
    were lost or stopped run again.
    """
    store = Store.existing(home, url)
    record = chosen(store, experiment)
    _check_secrets(record.spec, f"experiment {record.id}")
    _lead(store, record, as_json=as_json)


def _lead(store: Store, experiment: ExperimentRecord, *, as_json: bool) -> None:
    """Runs the experiment, shows it, and exits with the status that tells how it ended."""
    console = open_console(stderr=as_json)
    folder = store.home.experiment(experiment.id)
    console.print(f"experiment {experiment.id}: {experiment.spec.name}", markup=False)
    with (
        lead(store, experiment.id) as ledger,
        closing(SuggestionService(experiment.spec, folder.optimizer_log)) as suggestions,
        progress(console) as watch,
    ):
        loop = RunLoop(ledger, folder, LocalExecutor(folder), suggestions, watch)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: loop.request_stop())
        experiment = loop.run()
    trials = store.trials(experiment.id)
    if as_json:
        print_json(summary_view(store, experiment, trials))
    else:
        print_best(console, experiment.spec, best_trials(experiment.spec, trials))
    if experiment.state is ExperimentState.FAILED:
        raise SpecError(f"experiment {experiment.id} cannot run as written: {experiment.reason}")
    if experiment.state is ExperimentState.STOPPED:
        console.print(f"stopped; `orchestrate resume {experiment.id}` goes on", markup=False)
        sys.exit(3)
    if all(trial.values is None for trial in trials):
        console.print("every trial failed; `orchestrate logs` shows what they wrote", markup=False)
        sys.exit(1)


def _check_program(spec: Experiment, directory: Path, file: Path) -> None:
    """Finds the program before anything starts, where the command is a list and names it."""
    if isinstance(spec.command, str) or any(placeholders(spec.command[0])):
        return
    program = spec.command[0]
    path = str(spec.env["PATH"]) if "PATH" in spec.env else None
    target = str(directory / program) if "/" in program else program
    if shutil.which(target, path=path) is None:
        raise SpecError(f"{file}: command: {program!r} is not a program that can be executed")


def _check_secrets(spec: Experiment, where: str) -> None:
    """Finds every secret's value in the environment before anything starts."""
    for name in spec.secrets:
        if not os.environ.get(name):
            raise SpecError(
                f"{where}: secrets: {name!r} is not set; "
                "export it in the environment that orchestrate runs in"
            )
