"""Parameters and metrics as one writes them in Python, in the experiment file's keys."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sigopt_orchestrate.spec import Value


@dataclass(frozen=True)
class Range:
    """Numbers between two bounds, which belong to it.

    Attributes:
        whole: Whether only integers are meant.
        log: Whether equal ratios are searched alike.
        default: What the first trial runs, if all parameters have a default.
    """

    low: float
    high: float
    whole: bool = False
    log: bool = False
    default: float | None = None


@dataclass(frozen=True)
class Choice:
    """One of some values without an order."""

    values: tuple[Value, ...]
    default: Value | None = None


def double(low: float, high: float, *, log: bool = False, default: float | None = None) -> Range:
    """Returns a real parameter, for example `double(1e-5, 1, log=True)`."""
    return Range(low, high, log=log, default=default)


def integer(low: int, high: int, *, log: bool = False, default: int | None = None) -> Range:
    """Returns a whole parameter, for example `integer(1, 8)`."""
    return Range(low, high, whole=True, log=log, default=default)


def categorical(*values: Value, default: Value | None = None) -> Choice:
    """Returns a parameter without an order, for example `categorical("adam", "sgd")`."""
    return Choice(values, default)


Space = Mapping[str, Range | Choice | Mapping[str, Any]]
"""Parameters by name; a mapping is what the experiment file would say, without the name."""

Metrics = str | Sequence[str | Mapping[str, Any]] | Mapping[str, str]
"""A metric to maximise, some of them, or `maximize`, `minimize` or `store` by name."""


def parameter_keys(space: Space) -> list[dict[str, Any]]:
    """Returns the parameters as the experiment file has them."""
    return [{"name": name, **_parameter(given)} for name, given in space.items()]


def metric_keys(metrics: Metrics) -> list[dict[str, Any]]:
    """Returns the metrics as the experiment file has them."""
    if isinstance(metrics, str):
        return [{"name": metrics}]
    if isinstance(metrics, Mapping):
        return [
            {"name": name, "strategy": "store"}
            if objective == "store"
            else {"name": name, "objective": objective}
            for name, objective in metrics.items()
        ]
    return [{"name": m} if isinstance(m, str) else dict(m) for m in metrics]


def _parameter(given: Range | Choice | Mapping[str, Any]) -> dict[str, Any]:
    if isinstance(given, Choice):
        made: dict[str, Any] = {"type": "categorical", "categorical_values": given.values}
    elif isinstance(given, Range):
        made = {
            "type": "int" if given.whole else "double",
            "bounds": {"min": given.low, "max": given.high},
            "transformation": "log" if given.log else None,
        }
    else:
        return dict(given)
    return made | ({} if given.default is None else {"default": given.default})
