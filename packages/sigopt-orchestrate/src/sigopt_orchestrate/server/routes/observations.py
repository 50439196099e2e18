"""Observations, one by one and in batches."""

import json
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Connection, Row, bindparam, insert, select, update

from sigopt_orchestrate.server.access import Experiment, now, part_of, the_experiment
from sigopt_orchestrate.server.assignments import checked, checked_task
from sigopt_orchestrate.server.calls import Call
from sigopt_orchestrate.server.endpoints import Endpoints
from sigopt_orchestrate.server.errors import InvalidError, invalid_body
from sigopt_orchestrate.server.json_bodies import Json, write
from sigopt_orchestrate.server.merit import merit, stored_values
from sigopt_orchestrate.server.objects.trials import observation_object
from sigopt_orchestrate.server.pagination import listed, page
from sigopt_orchestrate.server.wire.observations import (
    ObservationBatch,
    ObservationCreate,
    ObservationUpdate,
)
from sigopt_orchestrate.store.resources import observations, suggestions

endpoints = Endpoints()
_ALL = "/experiments/{experiment}/observations"
_ONE = "/experiments/{experiment}/observations/{observation}"

# Made once: to put a statement together takes longer than to execute it.
_INSERT = insert(observations).returning(*observations.c)
_SUGGESTION = select(suggestions.c.assignments, suggestions.c.task).where(
    suggestions.c.id == bindparam("suggestion"),
    suggestions.c.experiment_id == bindparam("experiment"),
    suggestions.c.deleted.is_(False),
)
_CLOSE = update(suggestions).where(suggestions.c.id == bindparam("suggestion")).values(open=False)


@endpoints.add("POST", _ALL, "observation", body=ObservationCreate, status=201)
def create_observation(call: Call[ObservationCreate]) -> Json:
    """Reports how a suggestion, or assignments of the caller's own, did."""
    experiment = _open(call)
    values = _values_to_create(call.tx, experiment, call.body)
    return observation_object(_insert(call.tx, values), experiment)


@endpoints.add("POST", f"{_ALL}/batch", "observation", many=True, body=ObservationBatch, status=201)
def create_observations(call: Call[ObservationBatch]) -> Json:
    """Reports up to 2500 observations, all or none; with `dry_run` only checks them."""
    experiment = _open(call)
    sent, created = call.body.observations, []
    for index, data in enumerate(sent, start=1):
        try:
            body = ObservationCreate.model_validate(data)
            created.append(_values_to_create(call.tx, experiment, body))
        except ValidationError as error:
            raise InvalidError(_numbered(index, len(sent), invalid_body(error))) from None
        except InvalidError as error:
            raise InvalidError(_numbered(index, len(sent), error)) from None
    if call.body.dry_run:
        return listed([])
    rows = [_insert(call.tx, values) for values in created]
    return listed([observation_object(row, experiment) for row in rows])


@endpoints.add("GET", _ALL, "observation", many=True)
def list_observations(call: Call[None]) -> Json:
    """Lists observations, the newest first."""
    experiment = the_experiment(call)
    rows = select(observations).where(
        observations.c.experiment_id == experiment.id, observations.c.deleted.is_(False)
    )
    return page(
        call.tx,
        call.query,
        rows,
        observations.c.id,
        lambda found: [observation_object(row, experiment) for row in found],
    )


@endpoints.add("DELETE", _ALL, "empty", audited=True)
def delete_observations(call: Call[None]) -> Json:
    """Deletes all observations."""
    experiment = _changeable(call)
    mine = observations.c.experiment_id == experiment.id
    call.tx.execute(update(observations).where(mine).values(deleted=True))
    reopened = suggestions.c.experiment_id == experiment.id
    call.tx.execute(update(suggestions).where(reopened).values(open=True))
    return {}


@endpoints.add("GET", _ONE, "observation")
def fetch_observation(call: Call[None]) -> Json:
    """Answers with an observation."""
    experiment = the_experiment(call)
    return observation_object(_observation(call, experiment), experiment)


@endpoints.add("PUT", _ONE, "observation", body=ObservationUpdate)
def update_observation(call: Call[ObservationUpdate]) -> Json:
    """Changes the keys given."""
    experiment = _changeable(call)
    row = _observation(call, experiment)
    values = _values_to_update(call.tx, experiment, row, call.body)
    changed = update(observations).where(observations.c.id == row.id).values(**values)
    new = call.tx.execute(changed.returning(*observations.c)).one()
    for suggestion_id in {row.suggestion_id, new.suggestion_id} - {None}:
        _open_or_close(call.tx, suggestion_id)
    return observation_object(new, experiment)


@endpoints.add("DELETE", _ONE, "empty")
def delete_observation(call: Call[None]) -> Json:
    """Deletes an observation; its suggestion is open again if it had no other."""
    row = _observation(call, _changeable(call))
    call.tx.execute(update(observations).where(observations.c.id == row.id).values(deleted=True))
    if row.suggestion_id is not None:
        _open_or_close(call.tx, row.suggestion_id)
    return {}


def _values_to_create(
    tx: Connection, experiment: Experiment, body: ObservationCreate
) -> dict[str, Any]:
    definition = experiment.definition
    given = body.evaluations
    failed = bool(body.failed)
    if not failed and given is None:
        raise InvalidError("values: are required unless failed is true")
    if body.value is not None and len(definition.metrics) > 1:
        raise InvalidError("value: the experiment has several metrics, give values with names")
    source = _assignments(tx, experiment, body)
    values = stored_values(definition, None if failed else given)
    return {
        "experiment_id": experiment.id,
        **source,
        "values": write(values),
        "failed": failed,
        "metadata": None if body.metadata is None else write(body.metadata),
        "merit": None if failed else merit(definition, values, source["task"]),
        "created": now(),
    }


def _values_to_update(
    tx: Connection, experiment: Experiment, row: Row[Any], body: ObservationUpdate
) -> dict[str, Any]:
    definition, given, failed = experiment.definition, body.evaluations, row.failed
    values: dict[str, Any] = {}
    if body.value is not None and len(definition.metrics) > 1:
        raise InvalidError("value: the experiment has several metrics, give values with names")
    if body.suggestion is not None or body.assignments is not None:
        values |= _assignments(tx, experiment, body)
    elif body.task is not None:
        values["task"] = checked_task(definition, body.task, required=True)
    if "metadata" in body.model_fields_set:
        values["metadata"] = None if body.metadata is None else write(body.metadata)
    if body.failed is not None:
        failed = body.failed
    elif given:
        failed = False
    if not failed and row.failed and not given:
        raise InvalidError("values: are required where failed becomes false")
    evaluations = json.loads(row.values)
    if failed:
        evaluations = stored_values(definition, None)
    elif given is not None:
        evaluations = stored_values(definition, given)
    task = values.get("task", row.task)
    ranked = None if failed else merit(definition, evaluations, task)
    return values | {"failed": failed, "values": write(evaluations), "merit": ranked}


def _assignments(
    tx: Connection, experiment: Experiment, body: ObservationCreate | ObservationUpdate
) -> dict[str, Any]:
    """Where an observation was made: at a suggestion's assignments or at the caller's own."""
    definition = experiment.definition
    if body.assignments is not None:
        own = checked(definition, body.assignments, within=False)
        task = checked_task(definition, body.task, required=True)
        return {"assignments": write(own), "task": task, "suggestion_id": None}
    named = {"suggestion": body.suggestion, "experiment": experiment.id}
    found = tx.execute(_SUGGESTION, named).one_or_none()
    if found is None:
        raise InvalidError(f"suggestion: there is none with id {body.suggestion} in the experiment")
    return {
        "assignments": found.assignments,
        "task": found.task,
        "suggestion_id": body.suggestion,
    }


def _insert(tx: Connection, values: dict[str, Any]) -> Row[Any]:
    row = tx.execute(_INSERT, values).one()
    if row.suggestion_id is not None:
        tx.execute(_CLOSE, {"suggestion": row.suggestion_id})
    return row


def _open_or_close(tx: Connection, suggestion_id: int) -> None:
    refers = (observations.c.suggestion_id == suggestion_id) & observations.c.deleted.is_(False)
    is_open = tx.execute(select(observations.c.id).where(refers).limit(1)).first() is None
    changed = update(suggestions).where(suggestions.c.id == suggestion_id)
    tx.execute(changed.values(open=is_open))


def _open(call: Call[Any]) -> Experiment:
    experiment = _changeable(call)
    if experiment.deleted:
        raise InvalidError(f"experiment {experiment.id} is deleted; set its state to active first")
    return experiment


def _changeable(call: Call[Any]) -> Experiment:
    return the_experiment(call, runs_only=False)


def _observation(call: Call[Any], experiment: Experiment) -> Row[Any]:
    return part_of(call, experiment, observations, "observation")


def _numbered(index: int, count: int, error: InvalidError) -> str:
    return f"observations: number {index} of {count}: {error}"
