"""Finds what a request names, for those who may see it: foreign things 403, unknown ones 404."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Row, Select, Table, bindparam, select

from sigopt_orchestrate.server.authentication import Caller, Scope
from sigopt_orchestrate.server.calls import Call
from sigopt_orchestrate.server.errors import ForbiddenError, UnknownError
from sigopt_orchestrate.server.wire.definition import Definition
from sigopt_orchestrate.store.resources import clients, experiments, projects, training_runs

_Row = Row[*tuple[Any, ...]]
_OF_NARROW_TOKENS = ("/v1/tokens/{token}", "/v1/sessions")  # they answer with the caller's own


@dataclass(frozen=True, slots=True)
class Experiment:
    """An experiment or an AI experiment as stored."""

    id: int
    client_id: int
    project: str | None
    runs_only: bool
    name: str
    definition: Definition
    metadata: str | None
    created: int
    updated: int
    deleted: bool


def now() -> int:
    """Returns the time in Unix seconds."""
    return int(time.time())


def require_reach(caller: Caller, scope: Scope, template: str, path: Mapping[str, str]) -> None:
    """Checks that the caller's token is good for an address at all.

    Args:
        caller: Who calls.
        scope: What the address needs.
        template: The address with its variable parts in braces.
        path: The variable parts.

    Raises:
        ForbiddenError: If it is not.
    """
    if not caller.scope.covers(scope):
        raise ForbiddenError(f"the token's scope is {caller.scope}, and this needs {scope}")
    if template in _OF_NARROW_TOKENS or template.startswith("/v1/files/"):
        return
    if caller.training_run_id is not None:
        if path.get("training_run") != str(caller.training_run_id):
            raise ForbiddenError(f"the token is for training run {caller.training_run_id} only")
    elif caller.experiment_id is not None:
        named = path.get("experiment") == str(caller.experiment_id)
        if not named and not template.startswith("/v1/training_runs/{training_run}"):
            raise ForbiddenError(f"the token is for experiment {caller.experiment_id} only")


def the_client(call: Call[Any]) -> _Row:
    """Returns the client that the address names, or the caller's own where it names none."""
    client_id = call.id("client") if "client" in call.path else call.caller.client_id
    row = call.tx.execute(select(clients).where(clients.c.id == client_id)).one_or_none()
    if row is None:
        raise UnknownError(f"there is no client {client_id}")
    _own(call, client_id, f"client {client_id}")
    return row


def the_project(call: Call[Any]) -> _Row:
    """Returns the project that the address names by its client and slug."""
    client = the_client(call)
    return find_project(call.tx, client.id, call.path["project"])


def find_project(tx: Connection, client_id: int, slug: str) -> _Row:
    """Returns a client's project.

    Raises:
        UnknownError: If the client has no such project.
    """
    mine = (projects.c.client_id == client_id) & (projects.c.slug == slug)
    row = tx.execute(select(projects).where(mine)).one_or_none()
    if row is None:
        raise UnknownError(f"there is no project {slug[:40]!r}")
    return row


def the_experiment(call: Call[Any], *, runs_only: bool | None = None) -> Experiment:
    """Returns the experiment that the address names.

    Args:
        call: The request.
        runs_only: Whether it must be an AI experiment, or must not; either will do where absent.
    """
    experiment = find_experiment(call.tx, call.id("experiment"))
    _own(call, experiment.client_id, f"experiment {experiment.id}")
    if runs_only is not None and runs_only != experiment.runs_only:
        if runs_only:
            raise UnknownError(f"experiment {experiment.id} is no AI experiment")
        raise ForbiddenError(
            f"experiment {experiment.id} is an AI experiment: create training runs instead"
        )
    return experiment


def find_experiment(tx: Connection, experiment_id: int) -> Experiment:
    """Returns the experiment with this id.

    Raises:
        UnknownError: If there is none.
    """
    row = tx.execute(_ONE_EXPERIMENT, {"experiment": experiment_id}).one_or_none()
    if row is None:
        raise UnknownError(f"there is no experiment {experiment_id}")
    return read_experiments([row])[0]


def experiment_query() -> Select[Any]:
    """Returns a query of experiments with their project's slug."""
    joined = experiments.outerjoin(projects, experiments.c.project_id == projects.c.id)
    return select(experiments, projects.c.slug).select_from(joined)


# Made once: to put a statement together takes longer than to execute it.
_ONE_EXPERIMENT = experiment_query().where(experiments.c.id == bindparam("experiment"))


def read_experiments(rows: Sequence[Any]) -> list[Experiment]:
    """Returns what `experiment_query` found as values."""
    return [
        Experiment(
            id=row.id,
            client_id=row.client_id,
            project=row.slug,
            runs_only=row.runs_only,
            name=row.name,
            definition=_definition(row.definition),
            metadata=row.metadata,
            created=row.created,
            updated=row.updated,
            deleted=row.deleted,
        )
        for row in rows
    ]


def run_query() -> Select[Any]:
    """Returns a query of training runs with their project's slug."""
    joined = training_runs.join(projects, training_runs.c.project_id == projects.c.id)
    return select(training_runs, projects.c.slug).select_from(joined)


def the_run(call: Call[Any]) -> _Row:
    """Returns the training run that the address names."""
    run_id = call.id("training_run")
    row = call.tx.execute(run_query().where(training_runs.c.id == run_id)).one_or_none()
    if row is None:
        raise UnknownError(f"there is no training run {run_id}")
    _own(call, row.client_id, f"training run {run_id}")
    narrow = call.caller.experiment_id
    if narrow is not None and row.experiment_id != narrow:
        raise ForbiddenError(f"the token is for experiment {narrow} only")
    return row


def part_of(
    call: Call[Any], experiment: Experiment, table: Table, name: str, *, deleted_too: bool = False
) -> _Row:
    """Returns the row of `table` that the address names, if it belongs to the experiment.

    Args:
        call: The request.
        experiment: Whose row it must be.
        table: Has columns `id`, `experiment_id` and `deleted`.
        name: The address's part that holds the row's id; names the thing in the error, too.
        deleted_too: Whether a deleted row will do.
    """
    row_id = call.id(name)
    mine = (table.c.id == row_id) & (table.c.experiment_id == experiment.id)
    if not deleted_too:
        mine &= table.c.deleted.is_(False)
    row = call.tx.execute(select(table).where(mine)).one_or_none()
    if row is None:
        raise UnknownError(f"there is no {name.replace('_', ' ')} {row_id} in the experiment")
    return row


def own(call: Call[Any], row: _Row | None, what: str) -> _Row:
    """Returns `row`, which has a `client_id`, if it exists and is the caller's.

    Args:
        call: The request.
        row: What was found.
        what: Names it in the error, for example `file 7`.
    """
    if row is None:
        raise UnknownError(f"there is no {what}")
    _own(call, row.client_id, what)
    return row


def _own(call: Call[Any], client_id: int, what: str) -> None:
    if client_id != call.caller.client_id:
        raise ForbiddenError(f"{what} belongs to another client")


@lru_cache(maxsize=1024)
def _definition(text: str) -> Definition:
    return Definition.model_validate_json(text, strict=False)
