"""`orchestrate import`: experiments that were run elsewhere."""

import json
from pathlib import Path
from typing import Any

import click

from sigopt_orchestrate.cli.options import NUMBER, home_option, json_option, store_option
from sigopt_orchestrate.cli.views import print_json
from sigopt_orchestrate.errors import OrchestrateError
from sigopt_orchestrate.store import Home, Store


@click.group("import")
def import_command() -> None:
    """Take over an Optuna study or a SigOpt experiment, with its results."""


@import_command.command("optuna")
@click.argument("storage")
@click.option("--study", help="The study's name; may be left out where there is one only.")
@click.option("--command", help="A shell line, to go on with the study by `orchestrate resume`.")
@click.option("--budget", type=click.IntRange(min=1), help="How many observations in all.")
@home_option
@store_option
@json_option
def optuna_(
    storage: str,
    *,
    study: str | None,
    command: str | None,
    budget: int | None,
    home: Path,
    url: str | None,
    as_json: bool,
) -> None:
    """Make an experiment of the study in Optuna's STORAGE, a URL such as sqlite:///study.db."""
    from sigopt_orchestrate.interchange.optuna_studies import import_study  # noqa: PLC0415

    store = Store(home, url)
    record, notes = import_study(store, storage, study, command, budget)
    trials = len(store.trials(record.id))
    said = f"experiment {record.id}: {record.spec.name}, {trials} trials"
    view = {"id": record.id, "name": record.spec.name, "trials": trials, "notes": notes}
    _say(view, said, notes, as_json=as_json)


@import_command.command("sigopt")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--client", type=NUMBER, help="Whose it is; the first by default.")
@click.option("--project", help="In which of the client's projects.")
@home_option
@store_option
@json_option
def sigopt_(
    file: Path,
    *,
    client: int | None,
    project: str | None,
    home: Path,
    url: str | None,
    as_json: bool,
) -> None:
    """Make an experiment of the server's from what SigOpt's API answered, kept as JSON in FILE.

    FILE holds an object with `experiment` and `observations`, as `GET /v1/experiments/ID` and
    `GET /v1/experiments/ID/observations` answered; a page's `data` or a plain list will do.
    """
    from sigopt_orchestrate.server.accounts import find_client  # noqa: PLC0415 - half a second
    from sigopt_orchestrate.server.imports import import_experiment  # noqa: PLC0415
    from sigopt_orchestrate.store.database import open_database, writing  # noqa: PLC0415

    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise OrchestrateError(f"{file}: cannot be read: {reason}") from None
    except ValueError as error:
        raise OrchestrateError(f"{file}: is no JSON: {error}") from None
    engine = open_database(url or Home(home.absolute()).database)
    try:
        with writing(engine) as tx:
            owner = find_client(tx, client)
            done = import_experiment(tx, owner, project, document, str(file))
    finally:
        engine.dispose()
    said = f"experiment {done.id} of client {owner}: {done.name}, {done.observations} observations"
    view = {
        "id": done.id,
        "client": owner,
        "name": done.name,
        "observations": done.observations,
        "notes": done.notes,
    }
    _say(view, said, done.notes, as_json=as_json)


def _say(view: dict[str, Any], sentence: str, notes: list[str], *, as_json: bool) -> None:
    if as_json:
        print_json(view)
        return
    for note in notes:
        click.echo(f"- {note}", err=True)
    click.echo(sentence)
