"""What a page is about: an experiment of `orchestrate run` or of the API, in the same terms."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from sqlalchemy import Connection, Select, func, select

from sigopt_orchestrate.server.access import (
    Experiment as Served,
)
from sigopt_orchestrate.server.access import (
    experiment_query,
    find_experiment,
    read_experiments,
)
from sigopt_orchestrate.server.accounts import find_client
from sigopt_orchestrate.server.authentication import Caller
from sigopt_orchestrate.server.errors import ForbiddenError, UnknownError
from sigopt_orchestrate.server.wire.parameters import Parameter as ServedParameter
from sigopt_orchestrate.spec import (
    CategoricalParameter,
    DoubleParameter,
    Experiment,
    IntParameter,
    Metric,
    Parameter,
)
from sigopt_orchestrate.spec.parameters import DoubleBounds, IntBounds
from sigopt_orchestrate.spec.space import Task
from sigopt_orchestrate.store import schema
from sigopt_orchestrate.store.resources import experiments

Kind = Literal["local", "api"]
KINDS: tuple[Kind, ...] = ("local", "api")


@dataclass(frozen=True)
class Subject:
    """An experiment as the pages show it.

    Attributes:
        kind: `local` for one of `orchestrate run`, `api` for one of the API.
        spec: Its parameters, metrics and budget; of an API experiment only these count.
        served: The API experiment itself; None for a local one.
        state: Of a local experiment as stored, so `running` also if its orchestrate is gone.
    """

    kind: Kind
    id: int
    name: str
    spec: Experiment
    served: Served | None
    state: str
    paused: bool
    reason: str | None
    created_at: float
    ended_at: float | None
    budget: float | None


def find_subject(tx: Connection, caller: Caller, kind: str, experiment_id: int) -> Subject:
    """Returns the experiment, if the caller may see it.

    Experiments of `orchestrate run` belong to whoever has the store: the first client.

    Raises:
        UnknownError: If there is none.
        ForbiddenError: If it is another client's.
    """
    if kind == "api":
        served = find_experiment(tx, experiment_id)
        if served.client_id != caller.client_id:
            raise ForbiddenError(f"experiment {experiment_id} belongs to another client")
        return _served(served)
    if not sees_local(tx, caller):
        raise ForbiddenError("experiments of `orchestrate run` are the first client's")
    row = tx.execute(_local_query().where(schema.experiments.c.id == experiment_id)).one_or_none()
    if kind != "local" or row is None:
        raise UnknownError(f"there is no experiment {experiment_id}")
    return _local(row)


def list_subjects(
    tx: Connection, caller: Caller, kind: Kind, *, search: str, limit: int, before: int | None
) -> list[Subject]:
    """Returns the caller's experiments of one kind whose names hold `search`, newest first."""
    if kind == "local":
        if not sees_local(tx, caller):
            return []
        query = _local_query().order_by(schema.experiments.c.id.desc()).limit(limit)
        if before is not None:
            query = query.where(schema.experiments.c.id < before)
        if search:
            name = func.lower(schema.experiments.c.spec)
            query = query.where(name.contains(search.lower(), autoescape=True))
        found = [_local(row) for row in tx.execute(query)]
        return [subject for subject in found if search.lower() in subject.name.lower()]
    mine = experiment_query().where(
        experiments.c.client_id == caller.client_id, experiments.c.deleted.is_(False)
    )
    if before is not None:
        mine = mine.where(experiments.c.id < before)
    if search:
        mine = mine.where(func.lower(experiments.c.name).contains(search.lower(), autoescape=True))
    rows = tx.execute(mine.order_by(experiments.c.id.desc()).limit(limit)).all()
    return [_served(served) for served in read_experiments(rows)]


def sees_local(tx: Connection, caller: Caller) -> bool:
    """Returns whether the caller sees the experiments of `orchestrate run`."""
    return find_client(tx, None) == caller.client_id


def _local_query() -> Select[Any]:
    columns = schema.experiments.c
    return select(
        columns.id,
        columns.spec,
        columns.state,
        columns.paused,
        columns.reason,
        columns.created_at,
        columns.ended_at,
    )


def _local(row: Any) -> Subject:
    spec = _spec(row.spec)
    return Subject(
        kind="local",
        id=row.id,
        name=spec.name,
        spec=spec,
        served=None,
        state=row.state,
        paused=bool(row.paused),
        reason=row.reason,
        created_at=row.created_at,
        ended_at=row.ended_at,
        budget=float(spec.budget),
    )


@lru_cache(maxsize=256)
def _spec(text: str) -> Experiment:
    return Experiment.model_validate_json(text)


def _served(served: Served) -> Subject:
    definition = served.definition
    metrics = tuple(
        Metric.model_construct(
            name=metric.name or "value",
            objective=metric.objective or "maximize",
            strategy=metric.strategy or "optimize",
            threshold=metric.threshold,
        )
        for metric in definition.metrics
    )
    parameters = tuple(_parameter(p) for p in definition.parameters if _varies(p))
    # Not validated: the API's rules are wider than an experiment file's, and this only draws.
    spec = Experiment.model_construct(
        name=served.name,
        command=None,
        parameters=parameters,
        metrics=metrics,
        budget=int(definition.budget or 0),
        parallel=definition.parallel_bandwidth or 1,
        tasks=tuple(Task.model_construct(name=t.name, cost=t.cost) for t in definition.tasks),
    )
    return Subject(
        kind="api",
        id=served.id,
        name=served.name,
        spec=spec,
        served=served,
        state="archived" if served.deleted else "active",
        paused=False,
        reason=None,
        created_at=float(served.created),
        ended_at=None,
        budget=definition.budget,
    )


def _varies(parameter: ServedParameter) -> bool:
    if parameter.type == "categorical":
        return len(parameter.categorical_values or ()) > 1
    return parameter.low < parameter.high


def _parameter(given: ServedParameter) -> Parameter:
    if given.type == "categorical":
        values = tuple(given.categorical_values or ())
        return CategoricalParameter.model_construct(
            name=given.name, type="categorical", categorical_values=values, default=None
        )
    if given.type == "int":
        return IntParameter.model_construct(
            name=given.name,
            type="int",
            bounds=IntBounds(min=int(given.low), max=int(given.high)),
            transformation=given.transformation,
            default=None,
        )
    return DoubleParameter.model_construct(
        name=given.name,
        type="double",
        bounds=DoubleBounds(min=given.low, max=given.high),
        transformation=given.transformation,
        default=None,
    )
