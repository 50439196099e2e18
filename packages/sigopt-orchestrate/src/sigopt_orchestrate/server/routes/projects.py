"""Projects, and the lists of what they hold."""

from typing import Any

from sqlalchemy import insert, select, update

from sigopt_orchestrate.server.access import now, the_client, the_project
from sigopt_orchestrate.server.calls import Call
from sigopt_orchestrate.server.endpoints import Endpoints
from sigopt_orchestrate.server.errors import ConflictError
from sigopt_orchestrate.server.json_bodies import Json, write
from sigopt_orchestrate.server.objects.accounts import project_object, project_objects
from sigopt_orchestrate.server.pagination import page
from sigopt_orchestrate.server.wire.accounts import ProjectCreate, ProjectUpdate
from sigopt_orchestrate.store.resources import projects

endpoints = Endpoints()
_ONE = "/clients/{client}/projects/{project}"


@endpoints.add("POST", "/clients/{client}/projects", "project", body=ProjectCreate, status=201)
def create_project(call: Call[ProjectCreate]) -> Json:
    """Creates a project."""
    client = the_client(call)
    known = (projects.c.client_id == client.id) & (projects.c.slug == call.body.id)
    if call.tx.execute(select(projects.c.id).where(known)).first():
        raise ConflictError(f"id: the project {call.body.id!r} exists already")
    made = insert(projects).values(
        client_id=client.id,
        slug=call.body.id,
        name=call.body.name,
        metadata=None if call.body.metadata is None else write(call.body.metadata),
        created=now(),
        updated=now(),
    )
    return project_object(call.tx, call.tx.execute(made.returning(*projects.c)).one())


@endpoints.add("GET", "/clients/{client}/projects", "project", many=True, query=("deleted",))
def list_projects(call: Call[None]) -> Json:
    """Lists the client's projects; the deleted ones where `deleted` is true."""
    client = the_client(call)
    deleted = call.flag("deleted") or False
    rows = select(projects).where(
        projects.c.client_id == client.id, projects.c.deleted.is_(deleted)
    )
    return page(
        call.tx, call.query, rows, projects.c.id, lambda found: project_objects(call.tx, found)
    )


@endpoints.add("GET", _ONE, "project")
def fetch_project(call: Call[None]) -> Json:
    """Answers with a project."""
    return project_object(call.tx, the_project(call))


@endpoints.add("PUT", _ONE, "project", body=ProjectUpdate, audited=True)
def update_project(call: Call[ProjectUpdate]) -> Json:
    """Changes a project's name or metadata, deletes it or takes it back."""
    project = the_project(call)
    body, values = call.body, dict[str, Any](updated=now())
    if body.name is not None:
        values["name"] = body.name
    if "metadata" in body.model_fields_set:
        values["metadata"] = None if body.metadata is None else write(body.metadata)
    if body.deleted is not None:
        values["deleted"] = body.deleted
    changed = update(projects).where(projects.c.id == project.id).values(**values)
    return project_object(call.tx, call.tx.execute(changed.returning(*projects.c)).one())
