"""`orchestrate stop`, `orchestrate pause` and `orchestrate retry`: what the leader is asked."""

from collections.abc import Mapping
from pathlib import Path

import click

from sigopt_orchestrate.cli.options import (
    NUMBER,
    chosen,
    experiment_argument,
    home_option,
    json_option,
    store_option,
)
from sigopt_orchestrate.cli.running import check_secrets, run_to_its_end
from sigopt_orchestrate.cli.views import print_json
from sigopt_orchestrate.lifecycle import ExperimentState
from sigopt_orchestrate.reconcile import steer
from sigopt_orchestrate.store import Store, has_leader


@click.command("stop")
@experiment_argument
@click.option(
    "--trial",
    type=NUMBER,
    help="Only tell this trial to end: its next checkpoint's `report` returns True.",
)
@home_option
@store_option
@json_option
def stop_command(
    *, experiment: int | None, trial: int | None, home: Path, url: str | None, as_json: bool
) -> None:
    """End the trials of an experiment, the newest by default; `orchestrate resume` goes on.

    Trials that have not reported are not observations: on resume they run again.
    """
    store = Store.existing(home, url)
    record = chosen(store, experiment)
    if trial is not None:
        steer.stop_trial(store, record, trial)
        _say({"id": record.id, "trial": trial}, f"trial {trial} is told to end", as_json=as_json)
        return
    running = record.state is ExperimentState.RUNNING
    if running:
        steer.stop(store, record)
    said = "is stopping" if running else f"is {record.state} already"
    view = {"id": record.id, "stopping": running}
    _say(view, f"experiment {record.id} {said}", as_json=as_json)


@click.command("pause")
@experiment_argument
@home_option
@store_option
@json_option
def pause_command(experiment: int | None, home: Path, url: str | None, as_json: bool) -> None:
    """Start no further trials of an experiment; those that run go on to their end.

    `orchestrate resume` lifts it. `orchestrate stop` ends the trials as well.
    """
    store = Store.existing(home, url)
    record = chosen(store, experiment)
    steer.pause(store, record)
    said = f"experiment {record.id} is paused; `orchestrate resume {record.id}` goes on"
    _say({"id": record.id, "paused": True}, said, as_json=as_json)


@click.command("retry")
@experiment_argument
@click.option(
    "--trial",
    "numbers",
    multiple=True,
    type=NUMBER,
    help="Which one; may be given again [default: all that failed].",
)
@home_option
@store_option
@json_option
def retry_command(
    *,
    experiment: int | None,
    numbers: tuple[int, ...],
    home: Path,
    url: str | None,
    as_json: bool,
) -> None:
    """Run failed trials of an experiment, the newest by default, once more.

    Each becomes a new trial with the same parameters and adds one to the budget; what failed stays
    in the record. An experiment that has ended goes on, as with `orchestrate resume`.
    """
    store = Store.existing(home, url)
    record = chosen(store, experiment)
    asked = steer.retry(store, record, numbers)
    if not asked:
        _say({"id": record.id, "retried": []}, "no trial has failed", as_json=as_json)
        return
    said = ", ".join(map(str, asked))
    if has_leader(store, record.id):
        view = {"id": record.id, "retried": asked}
        _say(view, f"experiment {record.id} tries again: {said}", as_json=as_json)
        return
    check_secrets(record.spec, f"experiment {record.id}")
    run_to_its_end(store, record, as_json=as_json)


def _say(view: Mapping[str, object], sentence: str, *, as_json: bool) -> None:
    if as_json:
        print_json(view)
    else:
        click.echo(sentence)
