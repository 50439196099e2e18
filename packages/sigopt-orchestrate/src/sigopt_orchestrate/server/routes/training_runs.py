"""Training runs: created in a project or for an AI experiment, changed, merged, listed."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Connection, Row, Select, insert, update

from sigopt_orchestrate.server.access import (
    Experiment,
    find_experiment,
    find_project,
    now,
    run_query,
    the_client,
    the_experiment,
    the_project,
    the_run,
)
from sigopt_orchestrate.server.assignments import checked
from sigopt_orchestrate.server.calls import Call, Search
from sigopt_orchestrate.server.endpoints import Endpoints
from sigopt_orchestrate.server.errors import InvalidError, UnknownError, invalid_body
from sigopt_orchestrate.server.filters import run_filters, run_sort
from sigopt_orchestrate.server.json_bodies import Json, write
from sigopt_orchestrate.server.objects.fields import defined_fields
from sigopt_orchestrate.server.objects.runs import run_object, run_objects
from sigopt_orchestrate.server.pagination import listed, page
from sigopt_orchestrate.server.run_documents import (
    merged,
    refuse_reserved,
    replaced,
    with_assignments,
)
from sigopt_orchestrate.server.run_ends import settle
from sigopt_orchestrate.server.suggesting import store_suggestion, take_queued
from sigopt_orchestrate.server.wire.training_runs import (
    OPTIMIZER_SOURCE,
    RunBatch,
    RunBody,
    RunCreate,
    RunUpdate,
)
from sigopt_orchestrate.store.resources import projects, training_runs

endpoints = Endpoints()
_ONE = "/training_runs/{training_run}"
_OF_PROJECT = "/clients/{client}/projects/{project}/training_runs"
_QUERY = ("filters", "sort", "search")


@endpoints.add("GET", _ONE, "training_run")
def fetch_run(call: Call[None]) -> Json:
    """Answers with a training run."""
    return run_object(call.tx, the_run(call))


@endpoints.add("MERGE", _ONE, "training_run", body=RunUpdate)
def merge_run(call: Call[RunUpdate]) -> Json:
    """Merges the maps given into the run's, key by key; an explicit null removes a key."""
    run = the_run(call)
    return _update(call, run, merged(json.loads(run.document), call.body))


@endpoints.add("PUT", _ONE, "training_run", body=RunUpdate)
def update_run(call: Call[RunUpdate]) -> Json:
    """Changes the keys given; each map given replaces the run's."""
    run = the_run(call)
    return _update(call, run, replaced(json.loads(run.document), call.body))


@endpoints.add("DELETE", _ONE, "empty", audited=True)
def delete_run(call: Call[None]) -> Json:
    """Archives a training run."""
    run = the_run(call)
    _store(call.tx, run.id, {"deleted": True, "updated": now()})
    return {}


@endpoints.add("POST", _OF_PROJECT, "training_run", body=RunCreate, status=201)
def create_run(call: Call[RunCreate]) -> Json:
    """Creates a training run in a project."""
    project = the_project(call)
    refuse_reserved(call.body)
    run_id = _insert(call.tx, project, call.body, replaced({}, call.body))
    return run_object(call.tx, _found(call.tx, run_id))


@endpoints.add("POST", f"{_OF_PROJECT}/batch", "training_run", many=True, body=RunBatch, status=201)
def create_runs(call: Call[RunBatch]) -> Json:
    """Creates up to 10000 training runs, all or none."""
    project = the_project(call)
    bodies = []
    for index, data in enumerate(call.body.runs, start=1):
        try:
            body = RunCreate.model_validate(data)
            refuse_reserved(body)
            bodies.append((body, replaced({}, body)))
        except ValidationError as error:
            said = invalid_body(error)
            raise InvalidError(f"runs: number {index} of {len(call.body.runs)}: {said}") from None
        except InvalidError as error:
            raise InvalidError(f"runs: number {index} of {len(call.body.runs)}: {error}") from None
    ids = [_insert(call.tx, project, body, document) for body, document in bodies]
    found: list[Row[Any]] = []
    for start in range(0, len(ids), 1000):
        chosen = run_query().where(training_runs.c.id.in_(ids[start : start + 1000]))
        found += call.tx.execute(chosen.order_by(training_runs.c.id)).all()
    return listed(run_objects(call.tx, found))


@endpoints.add(
    "POST", "/experiments/{experiment}/training_runs", "training_run", body=RunCreate, status=201
)
@endpoints.add(
    "POST", "/aiexperiments/{experiment}/training_runs", "training_run", body=RunCreate, status=201
)
def create_experiment_run(call: Call[RunCreate]) -> Json | Search:
    """Creates a run of an AI experiment, at assignments that the optimiser chooses.

    Queued suggestions come first. With assignments of the caller's own the run is at those.
    """
    experiment, body = the_experiment(call, runs_only=True), call.body
    if experiment.deleted:
        raise InvalidError(f"experiment {experiment.id} is deleted; set its state to active first")
    refuse_reserved(body)
    if body.assignments:
        own = checked(
            experiment.definition,
            {k: v for k, v in body.assignments.items() if v is not None},
            within=True,
        )
        return _suggested(call.tx, experiment, body, own, "own")
    queued = take_queued(call.tx, experiment)
    if queued is not None:
        return _suggested(call.tx, experiment, body, queued[0], "queued")

    def make(
        tx: Connection,
        assignments: Mapping[str, Any],
        task: str | None,  # noqa: ARG001 - AI experiments have none
        source: str,
    ) -> Json:
        return _suggested(tx, experiment, body, dict(assignments), source)

    return Search(experiment.id, None, make)


@endpoints.add("GET", _OF_PROJECT, "training_run", many=True, query=_QUERY)
def list_project_runs(call: Call[None]) -> Json:
    """Lists a project's training runs."""
    return _page(call, run_query().where(training_runs.c.project_id == the_project(call).id))


@endpoints.add("GET", "/clients/{client}/training_runs", "training_run", many=True, query=_QUERY)
@endpoints.add("GET", "/training_runs", "training_run", many=True, query=_QUERY)
def list_runs(call: Call[None]) -> Json:
    """Lists the client's training runs."""
    return _page(call, run_query().where(training_runs.c.client_id == the_client(call).id))


@endpoints.add(
    "GET", "/experiments/{experiment}/training_runs", "training_run", many=True, query=_QUERY
)
@endpoints.add(
    "GET", "/aiexperiments/{experiment}/training_runs", "training_run", many=True, query=_QUERY
)
def list_experiment_runs(call: Call[None]) -> Json:
    """Lists the training runs of an experiment."""
    mine = training_runs.c.experiment_id == the_experiment(call).id
    return _page(call, run_query().where(mine))


def _page(call: Call[Any], rows: Select[Any]) -> Json:
    rows = rows.where(*run_filters(call.tx, call.query))

    def make(found: Sequence[Any]) -> list[Json]:
        return run_objects(call.tx, found)

    sort = run_sort(call.tx, call.query)
    result = page(call.tx, call.query, rows, training_runs.c.id, make, sort=sort)
    return {**result, "defined_fields": defined_fields(result["data"])}


def _insert(
    tx: Connection,
    project: Any,
    body: RunCreate,
    document: Json,
    *,
    suggestion: Any = None,
) -> int:
    if body.state is None and "state" in body.model_fields_set:
        raise InvalidError("state: cannot be null")
    state = body.state or "active"
    made = insert(training_runs).values(
        client_id=project.client_id,
        project_id=project.id,
        experiment_id=None if suggestion is None else suggestion.experiment_id,
        suggestion_id=None if suggestion is None else suggestion.id,
        optimized_suggestion=suggestion is not None and suggestion.source != "own",
        name=body.name,
        state=state,
        favorite=bool(body.favorite),
        deleted=bool(body.deleted),
        document=write(document),
        created=now(),
        updated=now(),
        completed=None if state == "active" else now(),
    )
    return int(tx.execute(made.returning(training_runs.c.id)).scalar_one())


def _suggested(
    tx: Connection,
    experiment: Experiment,
    body: RunCreate,
    assignments: dict[str, Any],
    source: str,
) -> Json:
    suggestion = store_suggestion(tx, experiment, assignments, task=None, source=source)
    bare = body.model_copy(update={"assignments": None})
    document = with_assignments(replaced({}, bare), assignments, optimized=source != "own")
    project = tx.execute(
        projects.select().where(
            projects.c.client_id == experiment.client_id, projects.c.slug == experiment.project
        )
    ).one()
    run_id = _insert(tx, project, body, document, suggestion=suggestion)
    settle(tx, _found(tx, run_id))
    return run_object(tx, _found(tx, run_id))


def _update(call: Call[RunUpdate], run: Row[Any], document: Json) -> Json:
    body = call.body
    refuse_reserved(body)
    _refuse_null(body, "state", "name", "project")
    if run.suggestion_id is not None:
        _refuse_other_assignments(json.loads(run.document), document)
    values: dict[str, Any] = {"document": write(document), "updated": now()}
    if body.name is not None:
        values["name"] = body.name
    if body.state is not None:
        ended = run.completed if run.state != "active" else now()
        values |= {"state": body.state, "completed": None if body.state == "active" else ended}
    for key in ("deleted", "favorite"):
        if key in body.model_fields_set:
            values[key] = bool(getattr(body, key))
    if body.project is not None:
        values["project_id"] = _project_id(call, run, body.project)
    return run_object(call.tx, _store(call.tx, run.id, values))


def _store(tx: Connection, run_id: int, values: dict[str, Any]) -> Row[Any]:
    tx.execute(update(training_runs).where(training_runs.c.id == run_id).values(**values))
    run = _found(tx, run_id)
    if run.suggestion_id is None:
        return run
    settle(tx, run)
    return _found(tx, run_id)


def _found(tx: Connection, run_id: int) -> Row[Any]:
    return tx.execute(run_query().where(training_runs.c.id == run_id)).one()


def _project_id(call: Call[Any], run: Row[Any], slug: str) -> int:
    if (
        run.experiment_id is not None
        and slug != find_experiment(call.tx, run.experiment_id).project
    ):
        raise InvalidError("project: a run of an AI experiment stays in the experiment's project")
    try:
        return int(find_project(call.tx, run.client_id, slug).id)
    except UnknownError as error:
        raise InvalidError(f"project: {error}") from None


def _refuse_null(body: RunBody, *keys: str) -> None:
    for key in keys:
        if key in body.model_fields_set and getattr(body, key) is None:
            raise InvalidError(f"{key}: cannot be null")


def _refuse_other_assignments(before: Json, after: Json) -> None:
    """What a suggestion assigned is what the observation will be of."""
    chosen = before.get("assignments", {})
    for name, meta in before.get("assignments_meta", {}).items():
        kept = after.get("assignments", {}).get(name)
        if meta.get("source") == OPTIMIZER_SOURCE and kept != chosen.get(name):
            raise InvalidError(f"assignments.{name}: was suggested and cannot be changed")
