"""Tune-space: which settings are worth tuning, as an experiment file for sigopt-orchestrate.

The file is plain YAML: a command with a placeholder for each parameter, bounds, and the metrics
that `cmn train --metrics-out` writes. Trials see validation only.
"""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from cmn.errors import ParameterError
from cmn.hyperparameters import Hyperparameters

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True)
class Range:
    """The bounds of one setting.

    Attributes:
        low: least value.
        high: greatest value.
        log: equal ratios are equally likely, not equal differences.
    """

    low: float
    high: float
    log: bool = False


MEMORY_SPACE = {
    "embedding_dim": Range(16, 128, log=True),
    "hops": Range(1, 3),
    "negatives": Range(2, 16, log=True),
    "learning_rate": Range(5e-4, 1e-2, log=True),
    "memory_rate": Range(0.05, 2, log=True),
    "l2": Range(1e-5, 1e-1, log=True),
    "pretrain_rate": Range(1e-3, 1e-2, log=True),
    "pretrain_epochs": Range(5, 30),
}
EVIDENCE_SPACE = {
    "embedding_dim": Range(32, 256, log=True),
    "learning_rate": Range(1e-3, 1e-2, log=True),
    "temperature": Range(0.06, 0.3, log=True),
    "shared_negatives": Range(128, 2048, log=True),
    "batch_size": Range(256, 4096, log=True),
    "linear_l2": Range(30, 3000, log=True),
    "alpha": Range(0.2, 1),
    "beta": Range(0, 0.8),
}
SPACES = {"default": MEMORY_SPACE, "paper": MEMORY_SPACE, "best": EVIDENCE_SPACE}


def experiment(
    data: str,
    *,
    settings: Iterable[str] | None = None,
    fixed: dict[str, Any] | None = None,
    budget: int = 40,
    parallel: int = 2,
) -> str:
    """Returns an experiment file whose trials are runs of `cmn train`.

    Args:
        data: what to train on, as `cmn train --data` takes it.
        settings: names to tune; all of the protocol's space if not given.
        fixed: other settings with the values that every trial has; among them, perhaps, `protocol`.
        budget: trials in all, at least 1.
        parallel: trials at a time, at least 1.

    Raises:
        ParameterError: an unknown setting, or a number below 1.
    """
    defaults = Hyperparameters(**(fixed or {})).get_params()
    space = SPACES[defaults["protocol"]]
    names = list(space if settings is None else settings)
    for name in names:
        if name not in space:
            raise ParameterError(f"{name!r} cannot be tuned; {', '.join(space)} can")
    for field, value in (("budget", budget), ("parallel", parallel), ("settings", len(names))):
        if value < 1:
            raise ParameterError(f"{field} is {value}; at least 1 is allowed")
    options = [_option(name, f"{{{name}}}") for name in names]
    options += [_option(name, value) for name, value in (fixed or {}).items()]
    lines = [
        f"name: {json.dumps(f'CMN on {data}')}",
        "command: >-",
        f"  cmn train --data {shlex.quote(data)} --threads 1",
        *(f"  {option}" for option in options),
        '  --metrics-out "$ORCHESTRATE_METRICS" --model-out "$ORCHESTRATE_OUTPUT/model"',
        "env: {OMP_NUM_THREADS: 1}",
        "parameters:",
        *(_parameter(name, space[name], defaults[name]) for name in names),
        "metrics:",
        "  - {name: ndcg@10, objective: maximize}",
        "  - {name: hr@10, strategy: store}",
        "  - {name: epoch, strategy: store}",
        "  - {name: fit_seconds, objective: minimize, strategy: store}",
        f"budget: {budget}",
        f"parallel: {parallel}",
    ]
    return "\n".join(lines) + "\n"


def _option(name: str, value: Any) -> str:
    flag = name.replace("_", "-")
    if isinstance(value, bool):
        return f"--{flag}" if value else f"--no-{flag}"
    return f"--{flag} {value}"


def _number(value: float) -> str:
    """Returns a number without an exponent, which YAML 1.1 may take for text."""
    return format(Decimal(repr(value)), "f")


def _parameter(name: str, bounds: Range, default: Any) -> str:
    whole = isinstance(default, int)
    low, high = (int(value) if whole else float(value) for value in (bounds.low, bounds.high))
    default = min(max(default, low), high)
    parts = [
        f"name: {name}",
        f"type: {'int' if whole else 'double'}",
        f"bounds: {{min: {_number(low)}, max: {_number(high)}}}",
        *(["transformation: log"] if bounds.log else []),
        f"default: {_number(default)}",
    ]
    return f"  - {{{', '.join(parts)}}}"
