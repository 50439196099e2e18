"""`orchestrate stop`."""

from pathlib import Path

import click

from sigopt_orchestrate.cli.options import (
    chosen,
    experiment_argument,
    home_option,
    json_option,
    store_option,
)
from sigopt_orchestrate.cli.views import print_json
from sigopt_orchestrate.errors import LeadershipError
from sigopt_orchestrate.executors import LocalExecutor, wake
from sigopt_orchestrate.lifecycle import ExperimentState
from sigopt_orchestrate.reconcile import RunLoop
from sigopt_orchestrate.store import ExperimentRecord, Store, lead


@click.command("stop")
@experiment_argument
@home_option
@store_option
@json_option
def stop_command(experiment: int | None, home: Path, url: str | None, as_json: bool) -> None:
    """End the trials of an experiment, the newest by default; `orchestrate resume` goes on.

    Trials that have not reported are not observations: on resume they run again.
    """
    store = Store.existing(home, url)
    record = chosen(store, experiment)
    if record.state is ExperimentState.RUNNING:
        _stop(store, record)
    if as_json:
        print_json({"id": record.id, "stopping": record.state is ExperimentState.RUNNING})
    elif record.state is ExperimentState.RUNNING:
        click.echo(f"experiment {record.id} is stopping")
    else:
        click.echo(f"experiment {record.id} is {record.state} already")


def _stop(store: Store, experiment: ExperimentRecord) -> None:
    """Asks the leader; where there is none, leads for as long as it takes to end what runs."""
    folder = store.home.experiment(experiment.id)
    try:
        with lead(store, experiment.id) as ledger:
            loop = RunLoop(ledger, folder, LocalExecutor(folder), None, lambda *_: None)
            loop.request_stop()
            loop.run()
    except LeadershipError:
        store.request_stop(experiment.id)
        wake(folder.wake)
