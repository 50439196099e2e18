"""`orchestrate doctor`: is everything here that orchestrate needs?"""

import importlib.metadata
import os
import platform
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from sigopt_orchestrate import __version__
from sigopt_orchestrate.cli.checks import report
from sigopt_orchestrate.cli.options import home_option, json_option, store_option
from sigopt_orchestrate.errors import OrchestrateError
from sigopt_orchestrate.executors.checks import Check
from sigopt_orchestrate.executors.preflight import preflight
from sigopt_orchestrate.lifecycle import ExperimentState
from sigopt_orchestrate.spec import load_experiment
from sigopt_orchestrate.store import Store, has_leader

_EXTRAS = {
    "psycopg": ("postgresql", "a shared store"),
    "pandas": ("frames", "result frames"),
    "pyarrow": ("parquet", "`export` to parquet"),
    "optuna": ("optuna", "Optuna's studies"),
    "mlflow-skinny": ("mlflow", "logging to MLflow"),
    "tensorboardX": ("tensorboard", "logging to TensorBoard"),
    "scikit-learn": ("sklearn", "OrchestrateSearchCV"),
    "boto3": ("aws", "EC2, EKS and S3"),
}
_LEAST_FREE = 1 << 30


@click.command("doctor")
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))
@home_option
@store_option
@json_option
def doctor_command(*, file: Path | None, home: Path, url: str | None, as_json: bool) -> None:
    """Check this machine, the store and the optimiser, and where FILE's trials run.

    Exits 1 if something is bad: no experiment would run here.
    """
    findings: list[Check] = []
    for check in (_versions, _disk, _supervision, _optimiser, _extras):
        findings += check(home)
    findings += _store(home, url)
    if file is not None:
        findings += preflight(load_experiment(file))
    report(findings, as_json=as_json)


def _versions(_home: Path) -> Iterator[Check]:
    said = f"orchestrate {__version__}, Python {platform.python_version()}, {platform.platform()}"
    yield Check("versions", "ok", said)
    yield Check("SQLite", "ok", sqlite3.sqlite_version)


def _disk(home: Path) -> Iterator[Check]:
    folder = home.absolute()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    said = f"{free / 2**30:.1f} GiB free for {home}"
    yield Check("disk", "ok" if free > _LEAST_FREE else "note", said)
    if not os.access(folder, os.W_OK):
        yield Check("home", "bad", f"{folder} is not ours to write; give --home")


def _supervision(_home: Path) -> Iterator[Check]:
    if sys.platform == "linux":
        yield Check("supervision", "ok", "trials cannot leave processes behind")
    else:
        said = "no subreaper here: daemons that a trial starts must end themselves"
        yield Check("supervision", "note", said)


def _optimiser(_home: Path) -> Iterator[Check]:
    """Whether the optimiser's process could start: in a process of its own, as it is."""
    code = "import numpy, scipy.optimize; print(numpy.__version__, scipy.__version__)"
    asked = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120
    )
    if asked.returncode == 0:
        numpy, scipy = asked.stdout.split()[-2:]
        yield Check("optimiser", "ok", f"numpy {numpy}, scipy {scipy}")
    else:
        lines = asked.stderr.strip().splitlines() or ["it said nothing"]
        yield Check("optimiser", "bad", f"numpy and scipy cannot be imported: {lines[-1]}")


def _extras(_home: Path) -> Iterator[Check]:
    for package, (extra, what) in _EXTRAS.items():
        try:
            version = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            said = f"not installed; for {what}: pip install 'sigopt-orchestrate[{extra}]'"
            yield Check(package, "note", said)
        else:
            yield Check(package, "ok", f"{version}, for {what}")


def _store(home: Path, url: str | None) -> Iterator[Check]:
    try:
        store = Store.existing(home, url)
    except OrchestrateError as error:
        absent = "no experiments here" in str(error)
        yield Check("store", "note" if absent else "bad", str(error))
        return
    records = store.experiments()
    yield Check("store", "ok", f"{len(records)} experiments")
    for record in records:
        if record.state is ExperimentState.RUNNING and not has_leader(store, record.id):
            said = f"experiment {record.id} was interrupted; `orchestrate resume {record.id}`"
            yield Check("experiments", "note", said)
