"""`orchestrate export`."""

import sys
from collections.abc import Callable
from pathlib import Path

import click

from sigopt_orchestrate.artifacts.keys import output_uri
from sigopt_orchestrate.cli.options import (
    chosen,
    experiment_argument,
    home_option,
    json_option,
    store_option,
)
from sigopt_orchestrate.cli.views import print_json
from sigopt_orchestrate.errors import OrchestrateError, StoreError
from sigopt_orchestrate.interchange import tables
from sigopt_orchestrate.store import ExperimentRecord, Store, TrialRecord

_TABLES = ("csv", "json", "parquet")
_TOOLS = ("optuna", "mlflow", "tensorboard")
_SUFFIXES = {".csv": "csv", ".json": "json", ".parquet": "parquet"}


@click.command("export")
@experiment_argument
@click.option(
    "--format",
    "kind",
    type=click.Choice([*_TABLES, *_TOOLS]),
    help="csv, json, parquet: a table; the others hand the trials to these tools [default: what "
    "--output ends in, else csv].",
)
@click.option(
    "--output",
    "-o",
    help="A file; for optuna and mlflow a storage or tracking URL, for tensorboard a folder "
    "[default for csv and json: standard output].",
)
@home_option
@store_option
@json_option
def export_command(
    *,
    experiment: int | None,
    kind: str | None,
    output: str | None,
    home: Path,
    url: str | None,
    as_json: bool,
) -> None:
    """Write an experiment's trials, the newest's by default, for another program.

    --json says what was written, and does not change what is.
    """
    store = Store.existing(home, url)
    record = chosen(store, experiment)
    kind = kind or _SUFFIXES.get(Path(output or "").suffix, "csv")
    trials = store.trials(record.id)
    if kind in _TABLES:
        _write_table(record, trials, kind, output)
    elif output is None:
        raise OrchestrateError(f"--output: is required with --format {kind}")
    else:
        _hand_over(store, record, trials, kind, output)
    if as_json and output:
        print_json({"id": record.id, "format": kind, "output": output, "trials": len(trials)})
    elif output:
        click.echo(output)


def _write_table(
    record: ExperimentRecord, trials: list[TrialRecord], kind: str, output: str | None
) -> None:
    table, names = tables.rows(record.spec, trials), tables.columns(record.spec, trials)
    if record.spec.artifacts is not None:
        names.append("artifacts")
        for row, trial in zip(table, trials, strict=True):
            row["artifacts"] = output_uri(record, trial.number, trial.attempt)
    if kind == "parquet":
        if output is None:
            raise OrchestrateError("--output: is required for a parquet file")
        _writing(output, lambda path: tables.write_parquet(table, path))
        return
    text = tables.write_csv(table, names) if kind == "csv" else tables.write_json(table)
    if output is None:
        sys.stdout.write(text)
    else:
        _writing(output, lambda path: path.write_text(text, encoding="utf-8"))


def _writing(output: str, write: Callable[[Path], object]) -> None:
    """Writes a file whole or not at all."""
    path = Path(output)
    draft = path.with_name(f".{path.name}.part")
    try:
        write(draft)
        draft.replace(path)
    except OSError as error:
        raise StoreError(f"--output {output}: cannot be written: {error.strerror}") from None
    finally:
        draft.unlink(missing_ok=True)


def _hand_over(
    store: Store, record: ExperimentRecord, trials: list[TrialRecord], kind: str, output: str
) -> None:
    folder = store.home.experiment(record.id)
    if kind == "optuna":
        from sigopt_orchestrate.interchange import optuna_studies  # noqa: PLC0415 - an extra

        optuna_studies.export_study(record, trials, output)
    elif kind == "mlflow":
        from sigopt_orchestrate.interchange.mlflow_runs import MlflowLogger  # noqa: PLC0415

        MlflowLogger(output).log_all(record, trials, folder)
    else:
        from sigopt_orchestrate.interchange.tensorboard_runs import (  # noqa: PLC0415
            TensorBoardLogger,
        )

        TensorBoardLogger(Path(output)).log_all(record, trials, folder)
