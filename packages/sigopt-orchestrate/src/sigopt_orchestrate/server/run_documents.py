"""A training run's document: its maps as JSON, and how changes are worked into it."""

from typing import Any

from sigopt_orchestrate.server.errors import InvalidError
from sigopt_orchestrate.server.json_bodies import Json
from sigopt_orchestrate.server.objects.runs import MAPS
from sigopt_orchestrate.server.wire.training_runs import OPTIMIZER_SOURCE, RunBody

_MAX_KEYS = 100


def replaced(document: Json, body: RunBody) -> Json:
    """Returns `document` with every map that `body` has in place of the old one."""
    return _checked(document | {key: _without_nulls(value) for key, value in _maps(body).items()})


def merged(document: Json, body: RunBody) -> Json:
    """Returns `document` with every map of `body` merged in; an explicit null removes a key."""
    changed = dict(document)
    for key, value in _maps(body).items():
        changed[key] = {} if value is None else _merge(changed.get(key, {}), value)
    return _checked(changed)


def with_assignments(document: Json, assignments: dict[str, Any], *, optimized: bool) -> Json:
    """Returns `document` with a suggestion's assignments, marked as the optimiser's if so."""
    changed = document | {"assignments": document.get("assignments", {}) | assignments}
    if optimized:
        meta = {name: {"source": OPTIMIZER_SOURCE} for name in assignments}
        source = {OPTIMIZER_SOURCE: {"sort": 1, "default_show": True}}
        changed["assignments_meta"] = document.get("assignments_meta", {}) | meta
        changed["assignments_sources"] = document.get("assignments_sources", {}) | source
    return changed


def refuse_reserved(body: RunBody) -> None:
    """Refuses a caller's use of the optimiser's source name.

    Raises:
        InvalidError: If `body` uses it.
    """
    for name in body.assignments_sources or {}:
        if name == OPTIMIZER_SOURCE:
            raise InvalidError(f"assignments_sources.{name}: the name is the optimizer's own")
    for name, meta in (body.assignments_meta or {}).items():
        if meta is not None and meta.source == OPTIMIZER_SOURCE:
            raise InvalidError(f"assignments_meta.{name}.source: the name is the optimizer's own")


def _maps(body: RunBody) -> dict[str, Any]:
    sent = body.model_dump(exclude_unset=True, include=set(MAPS))
    return {key: value for key, value in sent.items() if key in MAPS}


def _merge(old: Any, new: Any) -> Any:
    if not isinstance(old, dict) or not isinstance(new, dict):
        return _without_nulls(new)
    result = dict(old)
    for key, value in new.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = _merge(result.get(key), value)
    return result


def _without_nulls(value: Any) -> Any:
    if value is None:
        return {}
    if not isinstance(value, dict):
        return value
    return {
        key: _without_nulls(item) if isinstance(item, dict) else item
        for key, item in value.items()
        if item is not None
    }


def _checked(document: Json) -> Json:
    for key in ("assignments", "metadata", "sys_metadata", "dev_metadata", "datasets", "values"):
        count = len(document.get(key, {}))
        if count > _MAX_KEYS:
            raise InvalidError(f"{key}: must have at most {_MAX_KEYS} keys, not {count}")
    assigned = document.get("assignments", {})
    for name in document.get("assignments_meta", {}):
        if name not in assigned:
            raise InvalidError(f"assignments_meta.{name}: has no assignment of this name")
    return document
