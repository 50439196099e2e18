"""Clients and their organization, tokens, projects."""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, func, select

from sigopt_orchestrate.server.authentication import Scope
from sigopt_orchestrate.server.json_bodies import Json
from sigopt_orchestrate.store.resources import experiments, training_runs


def client_object(row: Any) -> Json:
    """Returns a client."""
    return {
        "object": "client",
        "id": str(row.id),
        "name": row.name,
        "organization": str(row.organization_id),
        "created": row.created,
        "client_security": {
            "object": "client_security",
            "allow_users_to_see_experiments_by_others": True,
        },
    }


def organization_object(row: Any) -> Json:
    """Returns an organization."""
    return {
        "object": "organization",
        "id": str(row.id),
        "name": row.name,
        "created": row.created,
        "deleted": False,
        "academic": False,
        "email_domains": [],
    }


def token_object(row: Any, organization_id: int, secret: str | None) -> Json:
    """Returns a token.

    Args:
        row: As stored.
        organization_id: Of its client.
        secret: The token itself, where it is known: to its holder and at its creation.
    """
    narrow = row.experiment_id is not None or row.training_run_id is not None
    return {
        "object": "token",
        "id": str(row.id),
        "name": row.name,
        "token": secret,
        "token_type": "training-run" if row.training_run_id else "client-api",
        "client": str(row.client_id),
        "organization": str(organization_id),
        "user": None,
        "experiment": None if row.experiment_id is None else str(row.experiment_id),
        "training_run": None if row.training_run_id is None else str(row.training_run_id),
        "all_experiments": not narrow,
        "development": False,
        "permissions": "read" if row.scope == Scope.READ else "write",
        "scope": row.scope,
        "expires": row.expires,
        "lease_length": None if row.expires is None else row.expires - row.created,
    }


def project_objects(tx: Connection, rows: Sequence[Any]) -> list[Json]:
    """Returns projects with how many experiments and runs each has."""
    ids = [row.id for row in rows]
    of_experiments, of_runs = _count(tx, experiments, ids), _count(tx, training_runs, ids)
    return [
        {
            "object": "project",
            "id": row.slug,
            "name": row.name,
            "client": str(row.client_id),
            "user": None,
            "created": row.created,
            "updated": row.updated,
            "metadata": json.loads(row.metadata) if row.metadata else None,
            "experiment_count": of_experiments.get(row.id, 0),
            "training_run_count": of_runs.get(row.id, 0),
            "deleted": row.deleted,
        }
        for row in rows
    ]


def project_object(tx: Connection, row: Any) -> Json:
    """Returns one project, see `project_objects`."""
    return project_objects(tx, [row])[0]


def _count(tx: Connection, table: Any, ids: list[int]) -> dict[int, int]:
    query = (
        select(table.c.project_id, func.count())
        .where(table.c.project_id.in_(ids), table.c.deleted.is_(False))
        .group_by(table.c.project_id)
    )
    return {row[0]: row[1] for row in tx.execute(query)}
