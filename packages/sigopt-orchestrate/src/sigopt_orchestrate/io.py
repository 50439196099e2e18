"""What generation 1's `orchestrate.io` offered its programs, so that they need but a new import.

`from sigopt_orchestrate import io as orchestrate_io`, and the program runs as it did. New programs
are better off with `sigopt_orchestrate.parameters` and `sigopt_orchestrate.report`.
"""

import sys
from typing import Any

from sigopt_orchestrate.worker import parameters, report


def assignment(name: str, default: Any = None) -> Any:
    """Returns the trial's value of the parameter `name`, or `default` where there is none."""
    return parameters().get(name, default)


def log_metric(name: str, value: float, value_stddev: float | None = None) -> None:  # noqa: ARG001
    """Reports a metric; its standard deviation is taken and not kept."""
    report(**{name: value})


def log_metadata(key: str, value: object) -> None:
    """Writes a line to the trial's log; metadata has no other place."""
    sys.stdout.write(f"{key}: {value}\n")


def log_failure() -> None:
    """Ends the program as a failed observation."""
    sys.exit("failed, as the program said")


def task() -> None:
    """Returns None: every trial is observed in full."""
