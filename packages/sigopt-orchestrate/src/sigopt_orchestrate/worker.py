"""Beside the user's program: parameters in, metrics out. Imports nothing heavy."""

import json
import os
from typing import Any

from sigopt_orchestrate.errors import ReportError, UnknownMetricError

PARAMETERS = "ORCHESTRATE_PARAMETERS"
METRICS = "ORCHESTRATE_METRICS"
METRIC_NAMES = "ORCHESTRATE_METRIC_NAMES"
OUTPUT = "ORCHESTRATE_OUTPUT"
CHECKPOINT = "ORCHESTRATE_CHECKPOINT"
EXPERIMENT = "ORCHESTRATE_EXPERIMENT"
MEMORY = "ORCHESTRATE_MEMORY"
STOP = "ORCHESTRATE_STOP"
TRIAL = "ORCHESTRATE_TRIAL"


def parameters() -> dict[str, Any]:
    """Returns this trial's parameter values by name.

    Raises:
        ReportError: If this program was not started by orchestrate.
    """
    return dict(json.loads(_variable(PARAMETERS)))


def report(*, step: float | None = None, **metrics: float) -> bool:
    """Reports metrics of this trial; the last value given for a metric counts.

    With a `step` the report is a checkpoint: one point of the trial's learning curve, and an
    opportunity to end early. Names that are no Python identifiers go in by a mapping:
    `report(**{"hr@10": 0.7})`. Outside an experiment, for example when you run your program by
    hand, nothing is written.

    Args:
        step: How far the trial is, for example its epoch; counts upwards.
        **metrics: Finite numbers (anything that `float` takes, such as a one-element tensor) by
            the names that the experiment file gives them.

    Returns:
        Whether the trial may stop now: it is not worth going on, or somebody asked for its end.
        What it has reported by then is its result.

    Raises:
        ReportError: If a value is not a number, or the experiment has no such metric. The
            unknown name is reported all the same, so that the experiment's owner learns of it.

    Example:
        >>> for epoch in range(20):  # doctest: +SKIP
        ...     if report(step=epoch, accuracy=train_one_epoch()):
        ...         break
    """
    if METRICS not in os.environ:
        return False
    values = {name: _number(name, value) for name, value in metrics.items()}
    if step is not None:
        values = {"step": _number("step", step)} | values
    with open(_variable(METRICS), "a", encoding="utf-8") as file:  # noqa: PTH123 - import cost
        file.write(json.dumps(values) + "\n")
    known = json.loads(_variable(METRIC_NAMES))
    for name in metrics if known else ():  # a single run may report anything
        if name not in known:
            raise UnknownMetricError(name, known)
    return os.path.exists(os.environ.get(STOP, ""))  # noqa: PTH110 - import cost


def _number(name: str, value: object) -> float:
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        raise ReportError(f"metric {name!r}: {value!r} is not a number") from None


def _variable(name: str) -> str:
    try:
        return os.environ[name]
    except KeyError:
        raise ReportError(
            f"${name} is not set: this program was not started by orchestrate"
        ) from None
