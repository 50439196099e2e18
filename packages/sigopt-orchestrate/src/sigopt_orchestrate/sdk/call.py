"""Calls one function for one trial: `python -m sigopt_orchestrate.sdk.call MODULE:NAME`."""

import importlib
import json
import os
import runpy
import sys
from collections.abc import Mapping
from functools import reduce
from pathlib import Path
from typing import Any

from sigopt_orchestrate import worker


def call(target: str) -> None:
    """Imports the function, calls it with this trial's parameters, and reports what it returns.

    Args:
        target: `module:name` or `/path/to/script.py:name`.
    """
    place, _, name = target.rpartition(":")
    found = reduce(_get, name.split("."), _namespace(place))
    result = found(**worker.parameters())
    if isinstance(result, Mapping):
        worker.report(**result)
    elif result is not None:
        worker.report(**{_only_metric(): result})


def _namespace(place: str) -> Any:
    if not place.endswith(".py"):
        return importlib.import_module(place)
    sys.path.insert(0, str(Path(place).parent))
    return runpy.run_path(place, run_name="__orchestrate__")  # not "__main__": it only defines


def _get(holder: Any, name: str) -> Any:
    return holder[name] if isinstance(holder, dict) else getattr(holder, name)


def _only_metric() -> str:
    names = json.loads(os.environ[worker.METRIC_NAMES])
    if len(names) != 1:
        sys.exit(f"the function returned one number, and the metrics are {', '.join(names)}")
    return str(names[0])


if __name__ == "__main__":
    call(sys.argv[1])
