"""Which fields a list of training runs has, for those who show it as a table."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from sigopt_orchestrate.server.json_bodies import Json

_PLAIN = {
    "id": "numeric",
    "name": "string",
    "state": "string",
    "created": "timestamp",
    "updated": "timestamp",
    "completed": "timestamp",
    "finished": "boolean",
    "deleted": "boolean",
    "favorite": "boolean",
    "experiment": "numeric",
    "suggestion": "numeric",
    "observation": "numeric",
    "checkpoint_count": "numeric",
}


def defined_fields(runs: Sequence[Json]) -> list[Json]:
    """Returns the fields that these runs have, each with in how many of them it is set."""
    counts: Counter[tuple[str, str, str]] = Counter()
    for run in runs:
        counts.update(_fields(run))
    return [
        {
            "object": "defined_field",
            "key": key,
            "name": name,
            "type": kind,
            "sortable": not (kind == "string" and key.startswith(("assignments.", "metadata."))),
            "count": count,
        }
        for (key, name, kind), count in sorted(counts.items())
    ]


def _fields(run: Json) -> Iterator[tuple[str, str, str]]:
    for key, kind in _PLAIN.items():
        if run[key] is not None:
            yield key, key, kind
    for part in ("assignments", "metadata"):
        for name, value in (run[part] or {}).items():
            yield f"{part}.{name}", name, _kind(value)
    for name, value in run["values"].items():
        for key in ("value", "value_stddev"):
            if value.get(key) is not None:
                yield f"values.{name}.{key}", name, "numeric"
    for name in run["logs"]:
        yield f"logs.{name}.content", name, "string"
    for part, key in (("model", "type"), ("source_code", "content"), ("source_code", "hash")):
        if run[part].get(key) is not None:
            yield f"{part}.{key}", key, "string"


def _kind(value: Any) -> str:
    return "string" if isinstance(value, str) else "numeric"
