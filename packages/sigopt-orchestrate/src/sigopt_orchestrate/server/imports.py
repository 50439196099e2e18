"""An experiment of SigOpt's own service, as its API answered, in this server's store."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ValidationError
from sqlalchemy import Connection

from sigopt_orchestrate.errors import OrchestrateError
from sigopt_orchestrate.server.authentication import Caller, Scope
from sigopt_orchestrate.server.calls import Call
from sigopt_orchestrate.server.errors import ApiError, invalid_body
from sigopt_orchestrate.server.json_bodies import Json
from sigopt_orchestrate.server.routes.experiments import create_experiment
from sigopt_orchestrate.server.routes.observations import create_observations
from sigopt_orchestrate.server.wire.experiments import ExperimentCreate
from sigopt_orchestrate.server.wire.observations import ObservationBatch

_BATCH = 2500
_KEPT = ("assignments", "values", "value", "value_stddev", "failed", "metadata", "task")


@dataclass
class Imported:
    """What became of an exported experiment.

    Attributes:
        id: Its id here; the old one is in its metadata.
        observations: How many were taken over.
    """

    id: int
    name: str
    observations: int
    notes: list[str] = field(default_factory=list)


def import_experiment(
    tx: Connection, client_id: int, project: str | None, document: Any, where: str
) -> Imported:
    """Creates the experiment and its observations, all or nothing.

    Args:
        tx: A writing transaction, to be rolled back if this raises.
        client_id: Whose it is to be.
        project: The slug of one of the client's projects.
        document: `{"experiment": ..., "observations": ...}`, or an experiment that has
            `observations` among its keys.
        where: What errors begin with.

    Raises:
        OrchestrateError: If the document is none, or breaks a rule of the API.
    """
    experiment, observations = _parts(document, where)
    notes: list[str] = []
    body = {key: value for key, value in experiment.items() if value is not None}
    if experiment.get("object") == "aiexperiment":
        notes.append("an AI experiment: it is an experiment with observations here, without runs")
        body["observation_budget"] = body.pop("budget", None)
    if project is None:
        body.pop("project", None)
    else:
        body["project"] = project
    if old := experiment.get("id"):
        body["metadata"] = {**(experiment.get("metadata") or {}), "sigopt_experiment": str(old)}
    try:
        made = create_experiment(_call(tx, client_id, _body(ExperimentCreate, body), {}))
        path = {"experiment": str(made["id"])}
        kept = [_observation(o) for o in reversed(observations)]  # the API's pages are newest first
        for start in range(0, len(kept), _BATCH):
            batch = _body(ObservationBatch, {"observations": kept[start : start + _BATCH]})
            create_observations(_call(tx, client_id, batch, path))
    except ApiError as error:
        raise OrchestrateError(f"{where}: {error}") from None
    return Imported(int(made["id"]), made["name"], len(kept), notes)


def _parts(document: Any, where: str) -> tuple[Mapping[str, Any], list[Any]]:
    if isinstance(document, dict):
        experiment = document.get("experiment", document)
        found = document.get("observations", [])
        if isinstance(found, dict):
            found = found.get("data")
        if isinstance(experiment, dict) and "parameters" in experiment and isinstance(found, list):
            without = {k: v for k, v in experiment.items() if k != "observations"}
            return without, found
    raise OrchestrateError(
        f"{where}: must be an object with `experiment`, which has parameters, and `observations`"
    )


def _observation(given: Any) -> Any:
    """An observation's own keys; of one that failed no values."""
    if not isinstance(given, dict):
        return given
    kept = {k: given[k] for k in _KEPT if given.get(k) is not None}
    if kept.get("values"):
        kept["values"] = [
            {k: v for k, v in value.items() if k != "object" and v is not None}
            for value in kept["values"]
        ]
        kept.pop("value", None)
        kept.pop("value_stddev", None)
    if kept.get("failed"):
        for key in ("values", "value", "value_stddev"):
            kept.pop(key, None)
    return kept


def _body(model: type[BaseModel], given: Json) -> Any:
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise invalid_body(error) from None


def _call(tx: Connection, client_id: int, body: Any, path: dict[str, str]) -> Call[Any]:
    caller = Caller(0, client_id, Scope.ADMIN, None, None, None)
    return Call(tx=tx, caller=caller, token="", path=path, query={}, body=body, origin=lambda: "")
