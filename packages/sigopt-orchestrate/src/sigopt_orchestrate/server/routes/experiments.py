"""Experiments and AI experiments."""

from typing import Any

from sqlalchemy import Select, func, insert, update

from sigopt_orchestrate.server.access import (
    Experiment,
    experiment_query,
    find_experiment,
    find_project,
    now,
    read_experiments,
    the_client,
    the_experiment,
    the_project,
)
from sigopt_orchestrate.server.calls import Call
from sigopt_orchestrate.server.endpoints import Endpoints
from sigopt_orchestrate.server.errors import InvalidError, UnknownError
from sigopt_orchestrate.server.json_bodies import Json, write
from sigopt_orchestrate.server.merit import rank_again
from sigopt_orchestrate.server.objects.experiments import experiment_object, experiment_objects
from sigopt_orchestrate.server.pagination import page
from sigopt_orchestrate.server.search.choice import feasible
from sigopt_orchestrate.server.wire.definition import Definition
from sigopt_orchestrate.server.wire.experiments import (
    AIExperimentCreate,
    AIExperimentUpdate,
    ExperimentCreate,
    ExperimentUpdate,
    build,
    change,
)
from sigopt_orchestrate.store.resources import experiments, training_runs

endpoints = Endpoints()
_FILTERS = ("state", "search")


@endpoints.add(
    "POST",
    "/clients/{client}/projects/{project}/aiexperiments",
    "aiexperiment",
    body=AIExperimentCreate,
    status=201,
)
def create_aiexperiment(call: Call[AIExperimentCreate]) -> Json:
    """Creates an AI experiment in a project."""
    return _create(call, the_project(call).id, runs_only=True)


@endpoints.add("POST", "/experiments", "experiment", body=ExperimentCreate, status=201)
@endpoints.add(
    "POST", "/clients/{client}/experiments", "experiment", body=ExperimentCreate, status=201
)
def create_experiment(call: Call[ExperimentCreate]) -> Json:
    """Creates an experiment, in a project where one is named."""
    client = the_client(call)
    return _create(call, _project_id(call, client.id, call.body.project), runs_only=False)


@endpoints.add(
    "GET",
    "/clients/{client}/projects/{project}/aiexperiments",
    "aiexperiment",
    many=True,
    query=_FILTERS,
)
def list_project_aiexperiments(call: Call[None]) -> Json:
    """Lists a project's AI experiments."""
    mine = experiment_query().where(experiments.c.project_id == the_project(call).id)
    return _page(call, mine.where(experiments.c.runs_only.is_(True)))


@endpoints.add(
    "GET",
    "/clients/{client}/projects/{project}/experiments",
    "experiment",
    many=True,
    query=_FILTERS,
)
def list_project_experiments(call: Call[None]) -> Json:
    """Lists a project's experiments, AI experiments included."""
    return _page(call, experiment_query().where(experiments.c.project_id == the_project(call).id))


@endpoints.add("GET", "/aiexperiments", "aiexperiment", many=True, query=_FILTERS)
@endpoints.add("GET", "/clients/{client}/aiexperiments", "aiexperiment", many=True, query=_FILTERS)
def list_aiexperiments(call: Call[None]) -> Json:
    """Lists the client's AI experiments."""
    mine = experiment_query().where(experiments.c.client_id == the_client(call).id)
    return _page(call, mine.where(experiments.c.runs_only.is_(True)))


@endpoints.add("GET", "/experiments", "experiment", many=True, query=_FILTERS)
@endpoints.add("GET", "/clients/{client}/experiments", "experiment", many=True, query=_FILTERS)
def list_experiments(call: Call[None]) -> Json:
    """Lists the client's experiments."""
    mine = experiment_query().where(experiments.c.client_id == the_client(call).id)
    return _page(call, mine.where(experiments.c.runs_only.is_(False)))


@endpoints.add("GET", "/aiexperiments/{experiment}", "aiexperiment")
def fetch_aiexperiment(call: Call[None]) -> Json:
    """Answers with an AI experiment."""
    return experiment_object(call.tx, the_experiment(call, runs_only=True))


@endpoints.add("GET", "/experiments/{experiment}", "experiment")
def fetch_experiment(call: Call[None]) -> Json:
    """Answers with an experiment or an AI experiment."""
    return experiment_object(call.tx, the_experiment(call))


@endpoints.add(
    "PUT", "/aiexperiments/{experiment}", "aiexperiment", body=AIExperimentUpdate, audited=True
)
def update_aiexperiment(call: Call[AIExperimentUpdate]) -> Json:
    """Changes the keys given; the lists of parameters and metrics are complete ones."""
    return _update(call, the_experiment(call, runs_only=True), {})


@endpoints.add(
    "PUT", "/experiments/{experiment}", "experiment", body=ExperimentUpdate, audited=True
)
def update_experiment(call: Call[ExperimentUpdate]) -> Json:
    """Changes the keys given; the lists of parameters and metrics are complete ones."""
    experiment = the_experiment(call)
    values: dict[str, Any] = {}
    if "project" in call.body.model_fields_set:
        values["project_id"] = _project_id(call, experiment.client_id, call.body.project)
        if values["project_id"] is None and experiment.runs_only:
            raise InvalidError("project: an AI experiment needs one")
    return _update(call, experiment, values)


@endpoints.add(
    "DELETE", "/aiexperiments/{experiment}", "empty", audited=True, query=("include_runs",)
)
def delete_aiexperiment(call: Call[None]) -> Json:
    """Archives an AI experiment; its runs, too, where `include_runs` is true."""
    return _delete(call, the_experiment(call, runs_only=True))


@endpoints.add(
    "DELETE", "/experiments/{experiment}", "empty", audited=True, query=("include_runs",)
)
def delete_experiment(call: Call[None]) -> Json:
    """Archives an experiment."""
    return _delete(call, the_experiment(call))


def _create(call: Call[Any], project_id: int | None, *, runs_only: bool) -> Json:
    definition = build(call.body.definition, runs_only=runs_only)
    if not feasible(definition):
        raise InvalidError("linear_constraints: no point within the bounds satisfies them all")
    made = insert(experiments).values(
        client_id=call.caller.client_id,
        project_id=project_id,
        runs_only=runs_only,
        name=call.body.name,
        definition=_text(definition),
        metadata=None if call.body.metadata is None else write(call.body.metadata),
        created=now(),
        updated=now(),
    )
    experiment_id = call.tx.execute(made.returning(experiments.c.id)).scalar_one()
    return experiment_object(call.tx, find_experiment(call.tx, experiment_id))


def _update(call: Call[Any], experiment: Experiment, values: dict[str, Any]) -> Json:
    body = call.body
    given = body.definition
    definition = experiment.definition
    if given:
        definition = change(definition, given, runs_only=experiment.runs_only)
    if given and not feasible(definition):
        raise InvalidError("linear_constraints: no point within the bounds satisfies them all")
    values |= {"definition": _text(definition), "updated": now()}
    if body.name is not None:
        values["name"] = body.name
    if "metadata" in body.model_fields_set:
        values["metadata"] = None if body.metadata is None else write(body.metadata)
    if body.state is not None:
        values["deleted"] = body.state == "deleted"
    call.tx.execute(update(experiments).where(experiments.c.id == experiment.id).values(**values))
    changed = find_experiment(call.tx, experiment.id)
    if definition.metrics != experiment.definition.metrics:
        rank_again(call.tx, changed)
    return experiment_object(call.tx, changed)


def _delete(call: Call[Any], experiment: Experiment) -> Json:
    mine = experiments.c.id == experiment.id
    call.tx.execute(update(experiments).where(mine).values(deleted=True, updated=now()))
    if call.flag("include_runs"):
        of_it = training_runs.c.experiment_id == experiment.id
        call.tx.execute(update(training_runs).where(of_it).values(deleted=True, updated=now()))
    return {}


def _page(call: Call[Any], rows: Select[Any]) -> Json:
    state = call.query.get("state", "active")
    if state not in ("active", "deleted", "all"):
        raise InvalidError(f"state: must be active, deleted or all, not {state[:40]!r}")
    if state != "all":
        rows = rows.where(experiments.c.deleted.is_(state == "deleted"))
    if search := call.query.get("search"):
        rows = rows.where(func.lower(experiments.c.name).contains(search.lower(), autoescape=True))
    return page(
        call.tx,
        call.query,
        rows,
        experiments.c.id,
        lambda found: experiment_objects(call.tx, read_experiments(found)),
    )


def _project_id(call: Call[Any], client_id: int, slug: str | None) -> int | None:
    if slug is None:
        return None
    try:
        return int(find_project(call.tx, client_id, slug).id)
    except UnknownError as error:
        raise InvalidError(f"project: {error}") from None


def _text(definition: Definition) -> str:
    return definition.model_dump_json(exclude_defaults=True)
