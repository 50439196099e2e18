"""Suggestions and queued suggestions."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from sigopt_orchestrate.server.access import Experiment, now, part_of, the_experiment
from sigopt_orchestrate.server.assignments import checked, checked_task
from sigopt_orchestrate.server.calls import Call, Search
from sigopt_orchestrate.server.endpoints import Endpoints
from sigopt_orchestrate.server.errors import InvalidError
from sigopt_orchestrate.server.json_bodies import Json, write
from sigopt_orchestrate.server.objects.trials import queued_suggestion_object, suggestion_object
from sigopt_orchestrate.server.pagination import page
from sigopt_orchestrate.server.suggesting import store_suggestion, take_queued
from sigopt_orchestrate.server.wire.observations import (
    QueuedSuggestionCreate,
    SuggestionCreate,
    SuggestionUpdate,
)
from sigopt_orchestrate.store.resources import queued_suggestions, suggestions

endpoints = Endpoints()
_ALL = "/experiments/{experiment}/suggestions"
_ONE = "/experiments/{experiment}/suggestions/{suggestion}"
_QUEUE = "/experiments/{experiment}/queued_suggestions"
_QUEUED = "/experiments/{experiment}/queued_suggestions/{queued_suggestion}"


@endpoints.add("POST", _ALL, "suggestion", body=SuggestionCreate, status=201)
def create_suggestion(call: Call[SuggestionCreate]) -> Json | Search:
    """Suggests what to try next: the caller's own assignments, a queued one, or the optimiser's."""
    experiment = _open(call)
    body, definition = call.body, experiment.definition
    metadata = None if body.metadata is None else write(body.metadata)

    def make(tx: Connection, assignments: Mapping[str, Any], task: str | None, source: str) -> Json:
        row = store_suggestion(
            tx, experiment, assignments, task=task, source=source, metadata=metadata
        )
        return suggestion_object(row, experiment)

    task = checked_task(definition, body.task, required=body.assignments is not None)
    if body.assignments is not None:
        own = checked(definition, body.assignments, within=True)
        return make(call.tx, own, task, "own")
    queued = take_queued(call.tx, experiment)
    if queued is not None:
        return make(call.tx, *queued, "queued")
    return Search(experiment.id, task, make)


@endpoints.add("GET", _ALL, "suggestion", many=True, query=("state", "id", "deleted"))
def list_suggestions(call: Call[None]) -> Json:
    """Lists suggestions; the open ones where `state` is `open`, the deleted where `deleted` is."""
    experiment = the_experiment(call, runs_only=False)
    rows = select(suggestions).where(
        suggestions.c.experiment_id == experiment.id,
        suggestions.c.deleted.is_(call.flag("deleted") or False),
    )
    if _wants_open(call):
        rows = rows.where(suggestions.c.open.is_(True))
    if "id" in call.query:
        wanted = call.query["id"]
        if not (wanted.isascii() and wanted.isdigit()) or len(wanted) > 9:
            raise InvalidError(f"id: must be an id, not {wanted[:40]!r}")
        rows = rows.where(suggestions.c.id == int(wanted))
    return page(
        call.tx,
        call.query,
        rows,
        suggestions.c.id,
        lambda found: [suggestion_object(row, experiment) for row in found],
    )


@endpoints.add("DELETE", _ALL, "empty", query=("state",), audited=True)
def delete_suggestions(call: Call[None]) -> Json:
    """Deletes all suggestions; only the open ones where `state` is `open`."""
    experiment = the_experiment(call, runs_only=False)
    mine = suggestions.c.experiment_id == experiment.id
    if _wants_open(call):
        mine &= suggestions.c.open.is_(True)
    call.tx.execute(update(suggestions).where(mine).values(deleted=True))
    return {}


@endpoints.add("GET", _ONE, "suggestion")
def fetch_suggestion(call: Call[None]) -> Json:
    """Answers with a suggestion."""
    experiment = the_experiment(call, runs_only=False)
    return suggestion_object(_suggestion(call, experiment), experiment)


@endpoints.add("PUT", _ONE, "suggestion", body=SuggestionUpdate)
def update_suggestion(call: Call[SuggestionUpdate]) -> Json:
    """Changes a suggestion's metadata."""
    experiment = the_experiment(call, runs_only=False)
    row = _suggestion(call, experiment)
    if "metadata" in call.body.model_fields_set:
        metadata = None if call.body.metadata is None else write(call.body.metadata)
        changed = update(suggestions).where(suggestions.c.id == row.id).values(metadata=metadata)
        row = call.tx.execute(changed.returning(*suggestions.c)).one()
    return suggestion_object(row, experiment)


@endpoints.add("DELETE", _ONE, "empty")
def delete_suggestion(call: Call[None]) -> Json:
    """Deletes a suggestion."""
    row = _suggestion(call, the_experiment(call, runs_only=False))
    call.tx.execute(update(suggestions).where(suggestions.c.id == row.id).values(deleted=True))
    return {}


@endpoints.add("POST", _QUEUE, "queued_suggestion", body=QueuedSuggestionCreate, status=201)
def create_queued_suggestion(call: Call[QueuedSuggestionCreate]) -> Json:
    """Queues assignments, which are suggested before any that the optimiser chooses."""
    experiment = the_experiment(call)
    _refuse_deleted(experiment)
    made = insert(queued_suggestions).values(
        experiment_id=experiment.id,
        assignments=write(checked(experiment.definition, call.body.assignments, within=True)),
        task=checked_task(experiment.definition, call.body.task, required=True),
        created=now(),
    )
    row = call.tx.execute(made.returning(*queued_suggestions.c)).one()
    return queued_suggestion_object(row, experiment)


@endpoints.add("GET", _QUEUE, "queued_suggestion", many=True)
def list_queued_suggestions(call: Call[None]) -> Json:
    """Lists the queued suggestions that have not been suggested yet."""
    experiment = the_experiment(call)
    rows = select(queued_suggestions).where(
        queued_suggestions.c.experiment_id == experiment.id,
        queued_suggestions.c.deleted.is_(False),
    )
    return page(
        call.tx,
        call.query,
        rows,
        queued_suggestions.c.id,
        lambda found: [queued_suggestion_object(row, experiment) for row in found],
    )


@endpoints.add("GET", _QUEUED, "queued_suggestion")
def fetch_queued_suggestion(call: Call[None]) -> Json:
    """Answers with a queued suggestion."""
    experiment = the_experiment(call)
    return queued_suggestion_object(
        part_of(call, experiment, queued_suggestions, "queued_suggestion"), experiment
    )


@endpoints.add("DELETE", _QUEUED, "empty")
def delete_queued_suggestion(call: Call[None]) -> Json:
    """Takes a queued suggestion out of the queue."""
    row = part_of(call, the_experiment(call), queued_suggestions, "queued_suggestion")
    mine = queued_suggestions.c.id == row.id
    call.tx.execute(update(queued_suggestions).where(mine).values(deleted=True))
    return {}


def _open(call: Call[Any]) -> Experiment:
    experiment = the_experiment(call, runs_only=False)
    _refuse_deleted(experiment)
    return experiment


def _refuse_deleted(experiment: Experiment) -> None:
    if experiment.deleted:
        raise InvalidError(f"experiment {experiment.id} is deleted; set its state to active first")


def _wants_open(call: Call[Any]) -> bool:
    state = call.query.get("state")
    if state not in (None, "open"):
        raise InvalidError(f"state: must be open, not {state[:40]!r}")
    return state is not None


def _suggestion(call: Call[Any], experiment: Experiment) -> Row[Any]:
    return part_of(call, experiment, suggestions, "suggestion", deleted_too=True)
