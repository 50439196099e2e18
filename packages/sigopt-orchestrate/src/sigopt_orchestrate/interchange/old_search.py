"""A SigOpt experiment's search, as its API and its files have it, in our experiment file's keys."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sigopt_orchestrate.errors import SpecError

Notes = list[str]
_DROPPED = {
    "metadata": "orchestrate keeps none with an experiment",
    "project": "a store has no projects",
    "training_monitor": "see early stopping in the experiment file's documentation",
    "num_solutions": "one best trial is reported",
    "tasks": "every trial is observed in full",
    "conditionals": "every parameter is searched in every trial",
    "linear_constraints": "they are not searched under",
}


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
    keys["metrics"] = [_metric(m, notes) for m in _listed(metrics, "metrics")]
    _take_budget(rest, keys, notes)
    if (parallel := rest.pop("parallel_bandwidth", None)) is not None:
        keys["parallel"] = int(parallel)
        notes.append("parallel_bandwidth: is parallel now")
    kind = rest.pop("type", "offline")
    if kind == "random":
        keys["optimizer"] = {"algorithm": "random"}
    elif kind != "offline":
        notes.append(f"type: {kind} is dropped; the search is a Bayesian one")
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


def _parameter(given: Mapping[str, Any], notes: Notes) -> dict[str, Any]:
    name, kind = str(given["name"]), given.get("type")
    rest = {k: v for k, v in given.items() if v not in (None, [], {}) and k not in _READ}
    made: dict[str, Any] = {"name": name, "type": kind}
    if kind == "categorical":
        made["categorical_values"] = [_category(v) for v in given.get("categorical_values") or ()]
    elif kind in {"double", "int"} and (grid := given.get("grid")):
        made = {"name": name, "type": "categorical", "categorical_values": list(grid)}
        notes.append(f"parameters.{name}: its grid's values are categories now")
    elif kind in {"double", "int"} and isinstance(given.get("bounds"), dict):
        number: Callable[[Any], float] = int if kind == "int" else float
        bounds = given["bounds"]
        try:
            made["bounds"] = {"min": number(bounds["min"]), "max": number(bounds["max"])}
        except (KeyError, TypeError, ValueError):
            raise SpecError(f"parameters.{name}.bounds: must have a min and a max") from None
        if given.get("transformation") == "log":
            made["transformation"] = "log"
    else:
        raise SpecError(
            f"parameters.{name}: must have type double or int with bounds or a grid, or "
            "categorical with categorical_values"
        )
    for key in rest:
        notes.append(f"parameters.{name}.{key}: dropped; {_PARAMETER_NOTES.get(key, 'unknown')}")
    return made


_READ = frozenset({
    "name", "type", "bounds", "grid", "categorical_values", "transformation", "object", "precision",
    "default_value", "tunable",
})  # fmt: skip
_PARAMETER_NOTES = {
    "conditions": "the parameter is searched in every trial",
    "prior": "the search starts without one",
}


def _category(value: Any) -> Any:
    return value["name"] if isinstance(value, dict) and "name" in value else value


def _metric(given: Mapping[str, Any] | None, notes: Notes) -> dict[str, Any]:
    given = given or {}
    name = str(given.get("name") or "value")
    made: dict[str, Any] = {"name": name, "objective": given.get("objective") or "maximize"}
    strategy, threshold = given.get("strategy") or "optimize", given.get("threshold")
    if strategy == "constraint":
        notes.append(
            f"metrics.{name}: a constraint is kept with the trials (strategy store), and its "
            f"threshold {threshold} does not steer the search"
        )
        strategy = "store"
    elif threshold is not None:
        notes.append(f"metrics.{name}.threshold: dropped; the whole Pareto front is reported")
    if strategy == "store":
        made["strategy"] = "store"
    return made
