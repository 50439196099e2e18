"""`orchestrate doctor`: is everything here that orchestrate needs?"""

import importlib.metadata
import os
import platform
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import click
from rich.table import Table
from rich.text import Text

from sigopt_orchestrate import __version__
from sigopt_orchestrate.cli.options import home_option, json_option, store_option
from sigopt_orchestrate.cli.tables import open_console
from sigopt_orchestrate.cli.views import print_json
from sigopt_orchestrate.errors import OrchestrateError
from sigopt_orchestrate.lifecycle import ExperimentState
from sigopt_orchestrate.spec import Experiment, load_experiment
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


@dataclass(frozen=True)
class Finding:
    """The result of one check."""

    check: str
    verdict: Literal["ok", "note", "bad"]
    said: str


@click.command("doctor")
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))
@home_option
@store_option
@json_option
def doctor_command(*, file: Path | None, home: Path, url: str | None, as_json: bool) -> None:
    """Check this machine, the store and the optimiser, and where FILE's trials run.

    Exits 1 if something is bad: no experiment would run here.
    """
    findings: list[Finding] = []
    for check in (_versions, _disk, _supervision, _optimiser, _extras):
        findings += check(home)
    findings += _store(home, url)
    if file is not None:
        findings += _cluster(load_experiment(file))
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        table = Table(box=None, pad_edge=False, show_header=False)
        table.add_column(no_wrap=True)
        table.add_column(no_wrap=True)
        table.add_column()
        styles = {"ok": "green", "note": "yellow", "bad": "bold red"}
        for one in findings:
            table.add_row(Text(one.verdict, style=styles[one.verdict]), one.check, Text(one.said))
        open_console().print(table)
    if any(finding.verdict == "bad" for finding in findings):
        sys.exit(1)


def _cluster(spec: Experiment) -> Iterator[Finding]:
    if spec.backend is None:
        return
    if spec.backend.ec2 is not None:
        from sigopt_orchestrate.executors.ec2 import preflight as ec2  # noqa: PLC0415

        for one in ec2.preflight(spec):
            yield Finding(one.check, one.verdict, one.said)
        return
    from sigopt_orchestrate.executors.kubernetes.cluster import open_cluster  # noqa: PLC0415
    from sigopt_orchestrate.executors.kubernetes.preflight import preflight  # noqa: PLC0415

    try:
        for found in preflight(open_cluster(spec.backend.kubernetes), spec):
            yield Finding(found.check, found.verdict, found.said)
    except OrchestrateError as error:
        yield Finding("cluster", "bad", str(error))


def _versions(_home: Path) -> Iterator[Finding]:
    said = f"orchestrate {__version__}, Python {platform.python_version()}, {platform.platform()}"
    yield Finding("versions", "ok", said)
    yield Finding("SQLite", "ok", sqlite3.sqlite_version)


def _disk(home: Path) -> Iterator[Finding]:
    folder = home.absolute()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    said = f"{free / 2**30:.1f} GiB free for {home}"
    yield Finding("disk", "ok" if free > _LEAST_FREE else "note", said)
    if not os.access(folder, os.W_OK):
        yield Finding("home", "bad", f"{folder} is not ours to write; give --home")


def _supervision(_home: Path) -> Iterator[Finding]:
    if sys.platform == "linux":
        yield Finding("supervision", "ok", "trials cannot leave processes behind")
    else:
        said = "no subreaper here: daemons that a trial starts must end themselves"
        yield Finding("supervision", "note", said)


def _optimiser(_home: Path) -> Iterator[Finding]:
    """Whether the optimiser's process could start: in a process of its own, as it is."""
    code = "import numpy, scipy.optimize; print(numpy.__version__, scipy.__version__)"
    asked = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120
    )
    if asked.returncode == 0:
        numpy, scipy = asked.stdout.split()[-2:]
        yield Finding("optimiser", "ok", f"numpy {numpy}, scipy {scipy}")
    else:
        lines = asked.stderr.strip().splitlines() or ["it said nothing"]
        yield Finding("optimiser", "bad", f"numpy and scipy cannot be imported: {lines[-1]}")


def _extras(_home: Path) -> Iterator[Finding]:
    for package, (extra, what) in _EXTRAS.items():
        try:
            version = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            said = f"not installed; for {what}: pip install 'sigopt-orchestrate[{extra}]'"
            yield Finding(package, "note", said)
        else:
            yield Finding(package, "ok", f"{version}, for {what}")


def _store(home: Path, url: str | None) -> Iterator[Finding]:
    try:
        store = Store.existing(home, url)
    except OrchestrateError as error:
        absent = "no experiments here" in str(error)
        yield Finding("store", "note" if absent else "bad", str(error))
        return
    records = store.experiments()
    yield Finding("store", "ok", f"{len(records)} experiments")
    for record in records:
        if record.state is ExperimentState.RUNNING and not has_leader(store, record.id):
            said = f"experiment {record.id} was interrupted; `orchestrate resume {record.id}`"
            yield Finding("experiments", "note", said)
