"""A SigOpt experiment's search, as its API and its files have it, in our experiment file's keys."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sigopt_orchestrate.errors import SpecError

Notes = list[str]
_DROPPED = {
    "metadata": "orchestrate keeps none with an experiment",
    "project": "a store has no projects",
}
_KEPT = ("conditionals", "linear_constraints", "tasks", "num_solutions")


def translate_search(given: Mapping[str, Any], keys: dict[str, Any], notes: Notes) -> None:
    """Puts parameters, metrics, budget and parallelism into `keys`, and what changed into `notes`.

    Args:
        given: An experiment body of SigOpt's: of its API, `experiment.yml` or `optimization`.
        keys: Of the new experiment file.
        notes: A sentence for each change.

    Raises:
        SpecError: If the body has no parameters or metrics, or one that cannot be understood.
    """
    rest = {key: value for key, value in given.items() if value not in (None, [], {})}
    rest.pop("name", None)
    keys["parameters"] = [_parameter(p, notes) for p in _listed(rest.pop("parameters", None))]
    metrics = rest.pop("metrics", None) or [rest.pop("metric", None)]
    keys["metrics"] = [_metric(m) for m in _listed(metrics, "metrics")]
    _take_budget(rest, keys, notes)
    if (parallel := rest.pop("parallel_bandwidth", None)) is not None:
        keys["parallel"] = int(parallel)
        notes.append("parallel_bandwidth: is parallel now")
    kind = rest.pop("type", "offline")
    if kind in {"random", "grid"}:
        keys["optimizer"] = {"algorithm": kind}
        notes.append(f"type: is optimizer.algorithm now, {kind}")
    for key in _KEPT:
        if key in rest:
            keys[key] = _plain(rest.pop(key))
    _take_monitor(rest.pop("training_monitor", None), keys, notes)
    for key in rest:
        if key in _DROPPED:
            notes.append(f"{key}: dropped; {_DROPPED[key]}")
        elif key not in _OF_THE_SERVICE:
            notes.append(f"{key}: dropped; orchestrate has nothing like it")


_OF_THE_SERVICE = frozenset({
    "object", "id", "client", "user", "state", "created", "updated", "progress", "development",
    "observation_budget_consumed", "can_be_deleted", "runs_only", "deleted",
})  # fmt: skip


def _listed(given: Any, key: str = "parameters") -> Sequence[Mapping[str, Any]]:
    if not isinstance(given, list) or not given:
        raise SpecError(f"{key}: must be a list of at least 1")
    for index, item in enumerate(given):
        if not isinstance(item, dict) or (key == "parameters" and "name" not in item):
            raise SpecError(f"{key}[{index}]: must be a mapping with a name")
    return given


def _take_budget(rest: dict[str, Any], keys: dict[str, Any], notes: Notes) -> None:
    given = rest.pop("budget", None)
    older = rest.pop("observation_budget", None)
    if given is None and older is not None:
        given = older
        notes.append("observation_budget: is budget now")
    if given is None:
        given = 10 * len(keys["parameters"])
        notes.append(f"budget: none was given; {given}, ten for each parameter")
    keys["budget"] = max(1, int(given))


def _take_monitor(given: Any, keys: dict[str, Any], notes: Notes) -> None:
    criteria = (given or {}).get("early_stopping_criteria") or []
    if criteria:
        first = criteria[0]
        keys["early_stopping"] = {
            "type": "lookback",
            "metric": first.get("metric"),
            "min": first.get("min_checkpoints") or 1,
            "lookback": first.get("lookback_checkpoints") or 1,
        }
        notes.append("training_monitor: its first criterion is early_stopping now")
    if len(criteria) > 1:
        notes.append(f"training_monitor: {len(criteria) - 1} further criteria are dropped")


def _plain(value: Any) -> Any:
    """A value without the API's own marks."""
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items() if k != "object" and v is not None}
    return [_plain(item) for item in value] if isinstance(value, list) else value


def _parameter(given: Mapping[str, Any], notes: Notes) -> dict[str, Any]:
    name, kind = str(given["name"]), given.get("type")
    rest = {k: v for k, v in given.items() if v not in (None, [], {}) and k not in _READ}
    made: dict[str, Any] = {"name": name, "type": kind}
    if kind == "categorical":
        made["categorical_values"] = [_category(v) for v in given.get("categorical_values") or ()]
    elif kind in {"double", "int"} and (grid := given.get("grid")):
        made["grid"] = sorted(grid)
    elif kind in {"double", "int"} and isinstance(given.get("bounds"), dict):
        number: Callable[[Any], float] = int if kind == "int" else float
        bounds = given["bounds"]
        try:
            made["bounds"] = {"min": number(bounds["min"]), "max": number(bounds["max"])}
        except (KeyError, TypeError, ValueError):
            raise SpecError(f"parameters.{name}.bounds: must have a min and a max") from None
    else:
        raise SpecError(
            f"parameters.{name}: must have type double or int with bounds or a grid, or "
            "categorical with categorical_values"
        )
    if given.get("transformation") == "log":
        made["transformation"] = "log"
    if conditions := given.get("conditions"):
        made["conditions"] = {k: [v] if isinstance(v, str) else v for k, v in conditions.items()}
    if prior := given.get("prior"):
        made["prior"] = _plain(prior)
    notes.extend(f"parameters.{name}.{key}: dropped; it is unknown" for key in rest)
    return made


_READ = frozenset({
    "name", "type", "bounds", "grid", "categorical_values", "transformation", "object", "precision",
    "default_value", "tunable", "conditions", "prior",
})  # fmt: skip


def _category(value: Any) -> Any:
    return value["name"] if isinstance(value, dict) and "name" in value else value


def _metric(given: Mapping[str, Any] | None) -> dict[str, Any]:
    given = given or {}
    made = {"name": str(given.get("name") or "value")}
    for key in ("objective", "strategy", "threshold"):
        if given.get(key) is not None:
            made[key] = given[key]
    return made
