"""What belongs to a training run: checkpoints, files and tags."""

import json
import secrets
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from sigopt_orchestrate.server.access import find_experiment, now, own, the_client, the_run
from sigopt_orchestrate.server.calls import Call
from sigopt_orchestrate.server.endpoints import Endpoints
from sigopt_orchestrate.server.errors import (
    ConflictError,
    ForbiddenError,
    InvalidError,
    UnknownError,
)
from sigopt_orchestrate.server.json_bodies import Json, write
from sigopt_orchestrate.server.objects.runs import checkpoint_object, file_object, tag_object
from sigopt_orchestrate.server.pagination import page
from sigopt_orchestrate.server.stopping import checkpoint_stops
from sigopt_orchestrate.server.wire.accounts import TagReference
from sigopt_orchestrate.server.wire.training_runs import CheckpointCreate, FileCreate, TagCreate
from sigopt_orchestrate.store.resources import (
    checkpoints,
    files,
    tags,
    training_run_tags,
    training_runs,
)

endpoints = Endpoints()
_RUN = "/training_runs/{training_run}"
MAX_CHECKPOINTS = 200
MAX_FILE_BYTES = 1 << 30
_MAX_METADATA = 5
_MAX_COMPARED = 200  # runs whose checkpoints an early stopping criterion looks at


@endpoints.add("POST", f"{_RUN}/checkpoints", "checkpoint", body=CheckpointCreate, status=201)
def create_checkpoint(call: Call[CheckpointCreate]) -> Json:
    """Reports metrics from the middle of a run; the answer says whether it may stop."""
    run, body = the_run(call), call.body
    if run.state != "active":
        raise InvalidError(f"training run {run.id} is {run.state} and takes no checkpoints")
    names = [value.name for value in body.values]
    if len(set(names)) < len(names):
        raise InvalidError("values: a metric is given more than once")
    if body.metadata is not None and len(body.metadata) > _MAX_METADATA:
        raise InvalidError(f"metadata: must have at most {_MAX_METADATA} keys")
    definition = (
        None
        if run.experiment_id is None
        else find_experiment(call.tx, run.experiment_id).definition
    )
    monitor = definition.training_monitor if definition else None
    most = monitor.max_checkpoints if monitor else MAX_CHECKPOINTS
    if run.checkpoint_count >= most:
        raise InvalidError(f"training run {run.id} has {most} checkpoints, the most it may have")
    values = sorted((value.model_dump() for value in body.values), key=lambda value: value["name"])
    made = insert(checkpoints).values(
        training_run_id=run.id,
        values=write(values),
        metadata=None if body.metadata is None else write(body.metadata),
        created=now(),
    )
    row = call.tx.execute(made.returning(*checkpoints.c)).one()
    counted = update(training_runs).where(training_runs.c.id == run.id)
    call.tx.execute(
        counted.values(checkpoint_count=training_runs.c.checkpoint_count + 1, updated=now())
    )
    if monitor is None:
        return checkpoint_object(row, {})
    history, others = _histories(call.tx, run)
    return checkpoint_object(row, checkpoint_stops(definition, history, others))


@endpoints.add("GET", f"{_RUN}/checkpoints", "checkpoint", many=True)
def list_checkpoints(call: Call[None]) -> Json:
    """Lists a run's checkpoints."""
    mine = select(checkpoints).where(checkpoints.c.training_run_id == the_run(call).id)
    return page(
        call.tx,
        call.query,
        mine,
        checkpoints.c.id,
        lambda found: [checkpoint_object(row, {}) for row in found],
    )


@endpoints.add("GET", f"{_RUN}/checkpoints/{{checkpoint}}", "checkpoint")
def fetch_checkpoint(call: Call[None]) -> Json:
    """Answers with a checkpoint."""
    run, checkpoint_id = the_run(call), call.id("checkpoint")
    mine = (checkpoints.c.id == checkpoint_id) & (checkpoints.c.training_run_id == run.id)
    row = call.tx.execute(select(checkpoints).where(mine)).one_or_none()
    if row is None:
        raise UnknownError(f"there is no checkpoint {checkpoint_id} in training run {run.id}")
    return checkpoint_object(row, {})


@endpoints.add("POST", f"{_RUN}/files", "file", body=FileCreate, status=201)
def create_file(call: Call[FileCreate]) -> Json:
    """Announces a file; the answer says where its bytes go."""
    run, body = the_run(call), call.body
    if body.name is None and body.filename is None:
        raise InvalidError("name: one of name and filename is required")
    if body.content_length > MAX_FILE_BYTES:
        raise InvalidError(f"content_length: must be at most {MAX_FILE_BYTES} bytes")
    made = insert(files).values(
        client_id=run.client_id,
        training_run_id=run.id,
        name=body.name,
        filename=body.filename,
        content_length=body.content_length,
        content_type=body.content_type,
        content_md5=body.content_md5,
        secret=secrets.token_hex(32),
        uploaded=False,
        created=now(),
    )
    return file_object(call.tx.execute(made.returning(*files.c)).one(), call.origin())


@endpoints.add("GET", "/files/{file}", "file")
def fetch_file(call: Call[None]) -> Json:
    """Answers with a file, and with where to get its bytes once they are there."""
    file_id = call.id("file")
    found = call.tx.execute(select(files).where(files.c.id == file_id)).one_or_none()
    row = own(call, found, f"file {file_id}")
    narrow = call.caller
    if narrow.training_run_id not in (None, row.training_run_id):
        raise ForbiddenError(f"the token is for training run {narrow.training_run_id} only")
    if narrow.experiment_id is not None:
        of_run = select(training_runs.c.experiment_id)
        run = of_run.where(training_runs.c.id == row.training_run_id)
        if call.tx.execute(run).scalar_one() != narrow.experiment_id:
            raise ForbiddenError(f"the token is for experiment {narrow.experiment_id} only")
    return file_object(row, call.origin())


@endpoints.add("POST", "/clients/{client}/tags", "tag", body=TagCreate, status=201)
def create_tag(call: Call[TagCreate]) -> Json:
    """Creates a tag of the client."""
    client = the_client(call)
    same = (tags.c.client_id == client.id) & (tags.c.name == call.body.name)
    if call.tx.execute(select(tags.c.id).where(same)).first():
        raise ConflictError(f"name: the tag {call.body.name!r} exists already")
    made = insert(tags).values(
        client_id=client.id, name=call.body.name, color=call.body.color, created=now()
    )
    return tag_object(call.tx.execute(made.returning(*tags.c)).one())


@endpoints.add("GET", "/clients/{client}/tags", "tag", many=True)
def list_tags(call: Call[None]) -> Json:
    """Lists the client's tags."""
    mine = select(tags).where(tags.c.client_id == the_client(call).id)
    return page(
        call.tx, call.query, mine, tags.c.id, lambda found: [tag_object(row) for row in found]
    )


@endpoints.add("POST", f"{_RUN}/tags", "tag", body=TagReference, status=201)
def add_tag(call: Call[TagReference]) -> Json:
    """Puts a tag on a run; that it is there already is no harm."""
    run = the_run(call)
    found = call.tx.execute(select(tags).where(tags.c.id == call.body.id)).one_or_none()
    if found is None:
        raise InvalidError(f"id: there is no tag {call.body.id}")
    tag = own(call, found, f"tag {call.body.id}")
    if not _is_tagged(call.tx, run.id, tag.id):
        call.tx.execute(insert(training_run_tags).values(training_run_id=run.id, tag_id=tag.id))
    return tag_object(tag)


@endpoints.add("DELETE", f"{_RUN}/tags/{{tag}}", "empty")
def remove_tag(call: Call[None]) -> Json:
    """Takes a tag off a run."""
    run, tag_id = the_run(call), call.id("tag")
    if not _is_tagged(call.tx, run.id, tag_id):
        raise UnknownError(f"there is no tag {tag_id} on training run {run.id}")
    call.tx.execute(delete(training_run_tags).where(*_tagged(run.id, tag_id)))
    return {}


def _is_tagged(tx: Connection, run_id: int, tag_id: int) -> bool:
    query = select(func.count()).select_from(training_run_tags).where(*_tagged(run_id, tag_id))
    return bool(tx.execute(query).scalar_one())


def _tagged(run_id: int, tag_id: int) -> tuple[Any, Any]:
    column = training_run_tags.c
    return column.training_run_id == run_id, column.tag_id == tag_id


def _histories(
    tx: Connection, run: Row[Any]
) -> tuple[list[dict[str, float]], list[list[dict[str, float]]]]:
    """The values of a run's checkpoints, the oldest first, and those of the newest other runs."""
    siblings = (
        select(training_runs.c.id)
        .where(
            training_runs.c.experiment_id == run.experiment_id,
            training_runs.c.deleted.is_(False),
            training_runs.c.checkpoint_count > 0,
        )
        .order_by(training_runs.c.id.desc())
        .limit(_MAX_COMPARED)
    )
    told = select(checkpoints.c.training_run_id, checkpoints.c["values"]).where(
        (checkpoints.c.training_run_id == run.id) | checkpoints.c.training_run_id.in_(siblings)
    )
    by_run: dict[int, list[dict[str, float]]] = {run.id: []}
    for row in tx.execute(told.order_by(checkpoints.c.id)):
        values = {v["name"]: v["value"] for v in json.loads(row[1])}
        by_run.setdefault(row.training_run_id, []).append(values)
    return by_run.pop(run.id), list(by_run.values())
