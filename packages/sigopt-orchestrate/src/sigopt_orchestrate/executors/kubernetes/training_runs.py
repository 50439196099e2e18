"""Training runs on an orchestrate server: one for each attempt, with a token of its own."""

import base64
import json
import os
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode
from urllib.request import Request, urlopen

from sigopt_orchestrate.executors.kubernetes.cluster import ApiError
from sigopt_orchestrate.spec import Experiment, Server, Timeouts
from sigopt_orchestrate.spec.backend import SERVER_VARIABLES

Json = dict[str, Any]

URL, TOKEN, PROJECT, CONTEXT = SERVER_VARIABLES
SECRET = (TOKEN, CONTEXT)
"""What of it is in the attempt's Secret."""

_TIMEOUT_S = 30.0
_SLACK_S = 3600
_UNBOUNDED_S = 30 * 24 * 3600


class TrainingRuns:
    """The training runs of an experiment's attempts, called as the attempts' objects are.

    The leader comes with a token of its own, from `$SIGOPT_API_TOKEN`, to the address in
    `$SIGOPT_API_URL`, or to the pods' address where that is not set.

    Args:
        server: As the experiment names it.
    """

    def __init__(self, server: Server) -> None:
        self._address = (os.environ.get(URL) or server.url).rstrip("/")
        self._token = os.environ.get(TOKEN, "")
        self._slug = server.project
        self._known_project: str | None = None

    def check(self) -> None:
        """Asks for the project.

        Raises:
            ApiError: If the server does not answer, or the token or the project is not valid.
        """
        if not self._token:
            said = f"${TOKEN} is not set; `orchestrate token create` makes one"
            raise ApiError(401, "NoToken", said)
        self._call("GET", self._project())

    def open(self, name: str, assignments: Json, timeouts: Timeouts) -> dict[str, str]:
        """Returns the variables by which the sigopt client reports on an attempt's training run.

        Args:
            name: The attempt's; a run of this name that is there already is the one.
            assignments: The trial's.
            timeouts: Say when the token has to end, whatever happens.

        Raises:
            ApiError: If the server refuses, or does not answer.
        """
        body = {"name": name, "assignments": assignments}
        run = self._find(name) or self._call("POST", f"{self._project()}/training_runs", body)
        token = self._call(
            "POST", f"/training_runs/{run['id']}/tokens", {"lease_length": _lease_s(timeouts)}
        )
        context = json.dumps({"global_run_context": {"run": run}})
        return {TOKEN: token["token"], CONTEXT: base64.b64encode(context.encode()).decode()}

    def close(self, name: str) -> None:
        """Ends an attempt's run, and with it the token, unless its pod has done so.

        Raises:
            ApiError: If the server refuses, or does not answer.
        """
        run = self._find(name)
        if run is not None and run["state"] == "active":
            self._call("PUT", f"/training_runs/{run['id']}", {"state": "failed"})

    def _find(self, name: str) -> Json | None:
        filters = json.dumps([{"field": "name", "operator": "==", "value": name}])
        query = urlencode({"filters": filters, "limit": 1})
        found: list[Json] = self._call("GET", f"{self._project()}/training_runs?{query}")["data"]
        return found[0] if found else None

    def _project(self) -> str:
        if self._known_project is None:
            client = self._call("GET", "/tokens/self")["client"]
            self._known_project = f"/clients/{quote(client)}/projects/{quote(self._slug)}"
        return self._known_project

    def _call(self, method: str, path: str, body: Json | None = None) -> Json:
        user = base64.b64encode(f"{self._token}:".encode()).decode()
        headers = {"Authorization": f"Basic {user}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = Request(f"{self._address}/v1{path}", data, headers, method=method)  # noqa: S310
        try:
            with urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310 - http or https
                found: Json = json.load(answer)
                return found
        except HTTPError as error:
            with error:
                raise ApiError(error.code, "Refused", _message(error)) from None
        except (URLError, OSError, ValueError) as error:
            said = f"{self._address} does not answer: {getattr(error, 'reason', error)}"
            raise ApiError(0, "Unreachable", said) from None


def runs_of(experiment: Experiment) -> TrainingRuns | None:
    """Returns the training runs of the experiment's attempts, if it names a server for them."""
    assert experiment.backend is not None  # noqa: S101 - whoever asks runs it in a cluster
    server = experiment.backend.kubernetes.server
    return None if server is None else TrainingRuns(server)


def _message(error: HTTPError) -> str:
    try:
        return str(json.load(error)["message"])
    except (ValueError, KeyError, TypeError):
        return f"status {error.code}"


def _lease_s(timeouts: Timeouts) -> int:
    if timeouts.trial_s is None:
        return _UNBOUNDED_S
    return int(timeouts.trial_s + timeouts.pending_s + timeouts.grace_s) + _SLACK_S
