"""The bodies of training runs and their checkpoints."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, WithJsonSchema

from sigopt_orchestrate.server.wire.fields import (
    Body,
    Exact,
    Metadata,
    Name,
    Number,
    Part,
    metadata,
)
from sigopt_orchestrate.server.wire.observations import Evaluation
from sigopt_orchestrate.spec.section import refusal

OPTIMIZER_SOURCE = "SigOpt"
"""The name under which the optimiser's own assignments appear as a source."""
MAX_LOG = 1124
_MAP_SCHEMA = WithJsonSchema(
    {
        "type": "object",
        "additionalProperties": {"type": ["string", "number", "null"], "maxLength": 500},
    }
)


def _erasable(value: object) -> dict[str, Any]:
    return metadata(value, nulls=True)


def _cut(value: str) -> str:
    return value[:MAX_LOG]


def _system(value: dict[str, Any]) -> dict[str, Any]:
    """Metadata of integrations: as metadata, and the importances of features."""
    plain = {key: item for key, item in value.items() if key != "feature_importances"}
    checked = metadata(plain, nulls=True)
    if "feature_importances" in value:
        checked["feature_importances"] = _importances(value["feature_importances"])
    return checked


def _importances(value: object) -> object:
    place = "feature_importances"
    if value is None:
        return None
    if not isinstance(value, dict) or not isinstance(value.get("scores"), dict):
        raise refusal("must be an object with type and scores", place)
    if not isinstance(value.get("type"), str):
        raise refusal("must be text", place, "type")
    scores = value["scores"]
    if len(scores) > 50:
        raise refusal(f"must be at most 50, not {len(scores)}", place, "scores")
    for key, score in scores.items():
        if len(key) > 100:
            raise refusal("a key must have at most 100 characters", place, "scores", key[:40])
        if isinstance(score, bool) or not isinstance(score, int | float):
            raise refusal("must be a number", place, "scores", key)
    return {"type": value["type"], "scores": scores}


class _Named(Part):
    source: Annotated[str, Field(min_length=1, max_length=30)]


class _Source(Part):
    sort: Exact
    default_show: bool


class _Log(Part):
    content: Annotated[str, AfterValidator(_cut)]


class _Model(Part):
    type: Annotated[str, Field(max_length=500)] | None = None


class _SourceCode(Part):
    content: Annotated[str, Field(max_length=1_000_000)] | None = None
    hash: Annotated[str, Field(max_length=100)] | None = None


class _Value(Part):
    value: Number
    value_stddev: Annotated[Number, Field(ge=0, le=1e150)] | None = None


_Keys = Annotated[str, Field(min_length=1, max_length=100)]
_Map = Annotated[dict[str, Any], AfterValidator(_erasable), _MAP_SCHEMA]


class RunBody(Body):
    """The keys that a run's creation and its changes share; a map's null values remove keys."""

    name: Name | None = None
    state: Literal["active", "completed", "failed"] | None = None
    assignments: _Map | None = None
    assignments_meta: Annotated[dict[_Keys, _Named | None], Field(max_length=100)] | None = None
    assignments_sources: (
        Annotated[
            dict[Annotated[str, Field(min_length=1, max_length=30)], _Source | None],
            Field(max_length=100),
        ]
        | None
    ) = None
    datasets: Annotated[dict[_Keys, dict[str, Any] | None], Field(max_length=100)] | None = None
    logs: Annotated[dict[_Keys, _Log | None], Field(max_length=20)] | None = None
    metadata: _Map | None = None
    sys_metadata: (
        Annotated[dict[str, Any], AfterValidator(_system), WithJsonSchema({"type": "object"})]
        | None
    ) = None
    dev_metadata: _Map | None = None
    model: _Model | None = None
    source_code: _SourceCode | None = None
    values: Annotated[dict[_Keys, _Value | None], Field(max_length=100)] | None = None
    deleted: bool | None = None
    favorite: bool | None = None


class RunCreate(RunBody):
    """Creates a run; in an AI experiment without assignments, the optimiser chooses them."""

    name: Name


class RunUpdate(RunBody):
    """Changes a run. Attributes as for `RunBody`, and the project to move it to."""

    project: str | None = None


class RunBatch(Body):
    """Creates many runs, all or none."""

    runs: Annotated[list[Any], Field(max_length=10_000)]
    fields: str | None = None


class _NamedValue(Evaluation):
    name: Name


class CheckpointCreate(Body):
    """Reports metrics from the middle of a run."""

    values: Annotated[list[_NamedValue], Field(max_length=50)]
    metadata: Metadata | None = None


class FileCreate(Body):
    """Announces a file; its bytes then go to the address in the answer."""

    name: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    filename: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    content_length: Annotated[int, Field(gt=0)]
    content_md5: Annotated[str, Field(pattern=r"^[A-Za-z0-9+/]{22}==$")]
    content_type: Annotated[
        str, Field(min_length=1, max_length=100, pattern=r"^[\w.+-]+/[\w.+-]+(; *[\w=\".+-]+)*$")
    ]


class TagCreate(Body):
    """Creates a tag of the client."""

    name: Name
    color: Annotated[str, Field(pattern=r"^#[0-9A-Fa-f]{6}$")]
