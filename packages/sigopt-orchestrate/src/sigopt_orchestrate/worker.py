"""Beside the user's program: parameters in, metrics out. Imports nothing heavy."""

import json
import os
from typing import Any

from sigopt_orchestrate.errors import ReportError, UnknownMetricError

PARAMETERS = "ORCHESTRATE_PARAMETERS"
METRICS = "ORCHESTRATE_METRICS"
METRIC_NAMES = "ORCHESTRATE_METRIC_NAMES"
OUTPUT = "ORCHESTRATE_OUTPUT"
EXPERIMENT = "ORCHESTRATE_EXPERIMENT"
MEMORY = "ORCHESTRATE_MEMORY"
TRIAL = "ORCHESTRATE_TRIAL"


def parameters() -> dict[str, Any]:
    """Returns this trial's parameter values by name.

    Raises:
        ReportError: If this program was not started by orchestrate.
    """
    return dict(json.loads(_variable(PARAMETERS)))


def report(**metrics: float) -> None:
    """Reports metrics of this trial; the last value given for a metric counts.

    Names that are no Python identifiers go in by a mapping: `report(**{"hr@10": 0.7})`. Outside an
    experiment, for example when you run your program by hand, nothing is written.

    Args:
        **metrics: Finite numbers (anything that `float` takes, such as a one-element tensor) by
            the names that the experiment file gives them.

    Raises:
        ReportError: If a value is not a number, or the experiment has no such metric. The
            unknown name is reported all the same, so that the experiment's owner learns of it.
    """
    if METRICS not in os.environ:
        return
    values = {name: _number(name, value) for name, value in metrics.items()}
    with open(_variable(METRICS), "a", encoding="utf-8") as file:  # noqa: PTH123 - import cost
        file.write(json.dumps(values) + "\n")
    known = json.loads(_variable(METRIC_NAMES))
    for name in values:
        if name not in known:
            raise UnknownMetricError(name, known)


def _number(name: str, value: object) -> float:
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise ReportError(f"metric {name!r}: {value!r} is not a number") from None


def _variable(name: str) -> str:
    try:
        return os.environ[name]
    except KeyError:
        raise ReportError(
            f"${name} is not set: this program was not started by orchestrate"
        ) from None
