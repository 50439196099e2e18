"""Training runs and what belongs to them: checkpoints, files and tags."""

import hashlib
import hmac
import json
import time
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, select

from sigopt_orchestrate.server.json_bodies import Json
from sigopt_orchestrate.store.resources import files, training_run_tags

MAPS = (
    "assignments",
    "assignments_meta",
    "assignments_sources",
    "datasets",
    "logs",
    "values",
    "metadata",
    "sys_metadata",
    "dev_metadata",
    "model",
    "source_code",
)
"""The parts of a run that are maps, and are merged key by key."""
_NULL_WHERE_EMPTY = ("metadata", "sys_metadata", "dev_metadata")
_LINK_S = 3600


def run_objects(tx: Connection, rows: Sequence[Any]) -> list[Json]:
    """Returns training runs as the API answers with them, with their tags' and files' ids."""
    ids = [row.id for row in rows]
    tags, attached = _tags(tx, ids), _files(tx, ids)
    return [_run(row, tags.get(row.id, []), attached.get(row.id, [])) for row in rows]


def run_object(tx: Connection, row: Any) -> Json:
    """Returns one training run, see `run_objects`."""
    return run_objects(tx, [row])[0]


def checkpoint_object(row: Any, stopping: dict[str, bool]) -> Json:
    """Returns a checkpoint.

    Args:
        row: As stored.
        stopping: Whether each early stopping criterion says that the run may stop.
    """
    return {
        "object": "checkpoint",
        "id": str(row.id),
        "training_run": str(row.training_run_id),
        "created": row.created,
        "values": [{"object": "metric_evaluation", **value} for value in json.loads(row.values)],
        "metadata": json.loads(row.metadata) if row.metadata else None,
        "should_stop": any(stopping.values()),
        "stopping_reasons": stopping,
    }


def file_object(row: Any, origin: str) -> Json:
    """Returns a file, with the address to send its bytes to, or to get them from.

    Both addresses are signed, so that neither needs a token.
    """
    body: Json = {
        "object": "file",
        "id": str(row.id),
        "client": str(row.client_id),
        "user": None,
        "name": row.name,
        "filename": row.filename,
        "created": row.created,
        "content_length": row.content_length,
        "content_type": row.content_type,
        "content_md5": row.content_md5,
    }
    address = f"{origin}/v1/files/{row.id}/content"
    if row.uploaded:
        expires = int(time.time()) + _LINK_S
        signature = sign(row.secret, f"download {expires}")
        url = f"{address}?expires={expires}&signature={signature}"
        return {**body, "download": {"object": "s3_download", "url": url}}
    upload = {
        "object": "s3_upload",
        "url": f"{address}?signature={sign(row.secret, 'upload')}",
        "method": "PUT",
        "headers": {"Content-Type": row.content_type, "Content-MD5": row.content_md5},
    }
    return {**body, "upload": upload}


def sign(secret: str, purpose: str) -> str:
    """Returns what proves that this server gave out an address for `purpose`."""
    return hmac.new(secret.encode(), purpose.encode(), hashlib.sha256).hexdigest()


def tag_object(row: Any) -> Json:
    """Returns a tag."""
    return {
        "object": "tag",
        "id": str(row.id),
        "name": row.name,
        "color": row.color,
        "client": str(row.client_id),
    }


def _run(row: Row[Any], tags: list[str], attached: list[str]) -> Json:
    document: Json = json.loads(row.document)
    maps: Json = {key: document.get(key, {}) for key in MAPS}
    for key in _NULL_WHERE_EMPTY:
        maps[key] = maps[key] or None
    maps["values"] = {
        name: {"object": "metric_evaluation", "name": name, **value}
        for name, value in maps["values"].items()
    }
    return {
        "object": "training_run",
        "id": str(row.id),
        "client": str(row.client_id),
        "project": row.slug,
        "experiment": _text(row.experiment_id),
        "suggestion": _text(row.suggestion_id),
        "observation": _text(row.observation_id),
        "user": None,
        "name": row.name,
        "state": row.state,
        "finished": row.state != "active",
        "deleted": row.deleted,
        "favorite": row.favorite,
        "created": row.created,
        "updated": row.updated,
        "completed": row.completed,
        "checkpoint_count": row.checkpoint_count,
        **maps,
        "tags": tags,
        "files": attached,
    }


def _text(row_id: int | None) -> str | None:
    return None if row_id is None else str(row_id)


def _tags(tx: Connection, ids: list[int]) -> dict[int, list[str]]:
    column = training_run_tags.c
    query = select(column.training_run_id, column.tag_id).where(column.training_run_id.in_(ids))
    return _grouped(tx.execute(query.order_by(column.tag_id)).all())


def _files(tx: Connection, ids: list[int]) -> dict[int, list[str]]:
    query = select(files.c.training_run_id, files.c.id).where(files.c.training_run_id.in_(ids))
    return _grouped(tx.execute(query.order_by(files.c.id)).all())


def _grouped(pairs: Sequence[Any]) -> dict[int, list[str]]:
    grouped: dict[int, list[str]] = {}
    for key, value in pairs:
        grouped.setdefault(key, []).append(str(value))
    return grouped
