"""What `run`, `resume`, `retry` and `optimize` share: leading an experiment to its end."""

import os
import shutil
import signal
import sys
from pathlib import Path

from sigopt_orchestrate.cli.progress import progress
from sigopt_orchestrate.cli.tables import open_console, print_best
from sigopt_orchestrate.cli.views import print_json, summary_view
from sigopt_orchestrate.errors import SpecError
from sigopt_orchestrate.executors.preflight import preflight
from sigopt_orchestrate.lifecycle import ExperimentState
from sigopt_orchestrate.reconcile import local_loop
from sigopt_orchestrate.spec import Experiment, placeholders
from sigopt_orchestrate.store import ExperimentRecord, Store


def lead_to_its_end(
    store: Store, experiment: ExperimentRecord, *, as_json: bool
) -> ExperimentRecord:
    """Runs the experiment, shows how it goes, and returns it as it ended."""
    console = open_console(stderr=as_json)
    console.print(f"experiment {experiment.id}: {experiment.spec.name}", markup=False)
    with progress(console) as watch, local_loop(store, experiment, watch) as loop:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: loop.request_stop())
        return loop.run()


def run_to_its_end(store: Store, experiment: ExperimentRecord, *, as_json: bool) -> None:
    """Runs the experiment, shows it, and exits with the status that tells how it ended."""
    console = open_console(stderr=as_json)
    experiment = lead_to_its_end(store, experiment, as_json=as_json)
    trials = store.trials(experiment.id)
    if as_json:
        print_json(summary_view(store, experiment, trials))
    elif experiment.spec.objectives:
        print_best(console, experiment.spec, trials)
    else:
        for trial in trials:
            for name, value in (trial.values or {}).items():
                console.print(f"{name} = {value:g}", markup=False)
    if experiment.state is ExperimentState.FAILED:
        raise SpecError(f"experiment {experiment.id} cannot run as written: {experiment.reason}")
    if experiment.state is ExperimentState.STOPPED:
        console.print(f"stopped; `orchestrate resume {experiment.id}` goes on", markup=False)
        sys.exit(3)
    if all(trial.values is None for trial in trials):
        console.print("every trial failed; `orchestrate logs` shows what they wrote", markup=False)
        sys.exit(1)


def check_runnable(spec: Experiment, directory: Path, where: str) -> None:
    """Finds program and secrets, asks EC2, the cluster and the bucket, before anything starts.

    Args:
        spec: The experiment.
        directory: Where its command is to run.
        where: What errors begin with, usually the experiment file.

    Raises:
        SpecError: If there is no command, its program is not to be found, a secret is not set, or
            the experiment's trials could not run where they are to.
    """
    if spec.command is None:
        raise SpecError(f"{where}: command: is required")
    check_secrets(spec, where)
    bad = next((found for found in preflight(spec) if found.verdict == "bad"), None)
    if bad is not None:
        raise SpecError(f"{where}: {bad.said}")
    if spec.backend is not None:
        return
    if isinstance(spec.command, str) or any(placeholders(spec.command[0])):
        return
    program = spec.command[0]
    path = str(spec.env["PATH"]) if "PATH" in spec.env else None
    target = str(directory / program) if "/" in program else program
    if shutil.which(target, path=path) is None:
        raise SpecError(f"{where}: command: {program!r} is not a program that can be executed")


def check_secrets(spec: Experiment, where: str) -> None:
    """Finds every secret's value in the environment."""
    for name in spec.secrets:
        if not os.environ.get(name):
            raise SpecError(
                f"{where}: secrets: {name!r} is not set; "
                "export it in the environment that orchestrate runs in"
            )
