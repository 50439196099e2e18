"""An experiment's trials as a flat table: CSV, Parquet, JSON, a pandas frame."""

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sigopt_orchestrate.errors import MissingDependencyError
from sigopt_orchestrate.spec import Experiment
from sigopt_orchestrate.spec.consistency import TASK
from sigopt_orchestrate.store.records import TrialRecord

Row = dict[str, Any]


def rows(spec: Experiment, trials: Sequence[TrialRecord]) -> list[Row]:
    """Returns a row for each trial, all with the same keys in the same order.

    Parameters and metrics have their kind before their names, `parameters.rate` and
    `metrics.accuracy`, since one of each may be called alike. Times are Unix seconds.
    """
    metrics = [metric.name for metric in spec.metrics]
    metrics += sorted({name for t in trials for name in t.values or {}} - set(metrics))
    return [_row(spec, metrics, trial) for trial in trials]


def write_csv(table: Sequence[Row], columns: Sequence[str]) -> str:
    """Returns the table as CSV with a line of names first; what is missing is empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(table)
    return text.getvalue()


def write_json(table: Sequence[Row]) -> str:
    """Returns the table as a JSON list with an object on each line."""
    return "[\n" + ",\n".join(json.dumps(row) for row in table) + "\n]\n"


def write_parquet(table: Sequence[Row], path: Path) -> None:
    """Writes the table as a Parquet file.

    Raises:
        MissingDependencyError: If pyarrow is not installed.
    """
    try:
        import pyarrow as pa  # noqa: PLC0415 - an extra
        from pyarrow import parquet  # noqa: PLC0415
    except ImportError:
        raise MissingDependencyError("a parquet file", "pyarrow", "parquet") from None
    parquet.write_table(pa.Table.from_pylist(list(table)), path)


def frame(spec: Experiment, trials: Sequence[TrialRecord]) -> Any:
    """Returns the table as a pandas DataFrame, indexed by the trials' numbers.

    Raises:
        MissingDependencyError: If pandas is not installed.
    """
    try:
        import pandas as pd  # noqa: PLC0415 - an extra
    except ImportError:
        raise MissingDependencyError("a frame", "pandas", "frames") from None
    return pd.DataFrame(rows(spec, trials), columns=columns(spec, trials)).set_index("number")


def columns(spec: Experiment, trials: Sequence[TrialRecord]) -> list[str]:
    """Returns the names of the columns of `rows`, also where there is no trial."""
    metrics = [metric.name for metric in spec.metrics]
    metrics += sorted({name for t in trials for name in t.values or {}} - set(metrics))
    named = [f"parameters.{name}" for name in _assigned(spec)]
    return [*_FIXED, *named, *(f"metrics.{name}" for name in metrics)]


_FIXED = (
    "number", "state", "source", "attempt", "reason", "created_at", "started_at", "ended_at",
    "duration_s",
)  # fmt: skip


def _assigned(spec: Experiment) -> list[str]:
    return [*spec.known_names(), *([TASK] if spec.tasks else [])]


def _row(spec: Experiment, metrics: Sequence[str], trial: TrialRecord) -> Row:
    values = trial.values or {}
    return {
        "number": trial.number,
        "state": str(trial.state),
        "source": trial.source,
        "attempt": trial.attempt,
        "reason": trial.reason,
        "created_at": trial.created_at,
        "started_at": trial.started_at,
        "ended_at": trial.ended_at,
        "duration_s": trial.duration_s,
        **{f"parameters.{name}": trial.assignments.get(name) for name in _assigned(spec)},
        **{f"metrics.{name}": values.get(name) for name in metrics},
    }
