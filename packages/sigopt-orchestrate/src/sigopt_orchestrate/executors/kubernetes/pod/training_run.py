"""The attempt's training run on an orchestrate server: what is logged there is reported, too."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import ssl
import sys
import time
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

_PATIENCE_S = 60.0
_TIMEOUT_S = 10.0


class TrainingRun:
    """The run that the sigopt client in the command finds by the same variables."""

    def __init__(self) -> None:
        context = json.loads(base64.b64decode(os.environ["SIGOPT_CONTEXT"]))
        run = context["global_run_context"]["run"]["id"]
        self._address = f"{os.environ['SIGOPT_API_URL'].rstrip('/')}/v1/training_runs/{run}"
        user = base64.b64encode(f"{os.environ['SIGOPT_API_TOKEN']}:".encode()).decode()
        self._headers = {"Authorization": f"Basic {user}", "Content-Type": "application/json"}
        self._trust = ssl.create_default_context(cafile=os.getenv("SIGOPT_API_VERIFY_SSL_CERTS"))

    def settle(self, record: dict[str, Any], metrics: str) -> dict[str, Any]:
        """Takes over what the command has logged, ends the run, and with it the token.

        Args:
            record: How the command ended; see `executors.Exit`.
            metrics: The metrics file, which gets one more line.

        Returns:
            The record; `ended_by` is `server` if the command succeeded and the server was gone.
        """
        if record["ended_by"] in {"stop", "gang"}:  # in haste; orchestrate ends the run
            return record
        good = record["code"] == 0 and record["ended_by"] is None
        if good:
            try:
                run = self._call("GET", None)
            except OSError as error:
                sys.stderr.write(f"orchestrate: {self._address} does not answer: {error}\n")
                refused = isinstance(error, HTTPError)  # as for a token that somebody has revoked
                return record if refused else {**record, "ended_by": "server"}
            good = run["state"] != "failed"  # by sigopt.log_failure()
            if good:
                _append(metrics, run.get("values") or {})
        with contextlib.suppress(OSError):  # then orchestrate does
            self._call("PUT", {"state": "completed" if good else "failed"})
        return record

    def _call(self, method: str, body: dict[str, Any] | None) -> dict[str, Any]:
        """Returns the server's answer, for which it waits a minute where there is none."""
        data = None if body is None else json.dumps(body).encode()
        deadline, pause = time.monotonic() + _PATIENCE_S, 0.5
        while True:
            request = Request(self._address, data, self._headers, method=method)  # noqa: S310
            try:
                with urlopen(request, timeout=_TIMEOUT_S, context=self._trust) as answer:  # noqa: S310
                    return dict(json.load(answer))
            except HTTPError as error:
                error.close()
                if error.code != 429 and error.code < 500:
                    raise
                failure: OSError = error
            except (OSError, ValueError) as error:
                failure = error if isinstance(error, OSError) else OSError(str(error))
            if time.monotonic() > deadline:
                raise OSError(str(failure))
            time.sleep(pause)
            pause = min(5.0, 2 * pause)


def _append(metrics: str, logged: dict[str, Any]) -> None:
    """Adds what was logged of the experiment's metrics; what else was, stays with the run."""
    known = json.loads(os.environ.get("ORCHESTRATE_METRIC_NAMES") or "[]")
    values = {name: said["value"] for name, said in logged.items() if not known or name in known}
    if not values:
        return
    with open(metrics, "ab+") as file:  # noqa: PTH123
        if file.tell():
            file.seek(-1, os.SEEK_END)
            file.write(b"" if file.read() == b"\n" else b"\n")
        file.write(json.dumps(values).encode() + b"\n")
