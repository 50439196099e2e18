"""A training run and a token for each attempt: unmodified sigopt programs report from pods."""

import base64
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import ValidationError
from serving import serving

from sigopt_orchestrate.executors import Ended, Exit
from sigopt_orchestrate.executors.kubernetes.cluster import ApiError
from sigopt_orchestrate.executors.kubernetes.pod import training_run
from sigopt_orchestrate.executors.kubernetes.pod.training_run import TrainingRun
from sigopt_orchestrate.executors.kubernetes.training_runs import TrainingRuns
from sigopt_orchestrate.server import authentication
from sigopt_orchestrate.server.accounts import create_client, create_token
from sigopt_orchestrate.server.authentication import Scope
from sigopt_orchestrate.server.settings import Settings
from sigopt_orchestrate.spec import Experiment, Server, Timeouts
from sigopt_orchestrate.store.database import open_database, writing

PROGRAM = """\
import sigopt
assert sigopt.params.x == 0.5
sigopt.log_metric("y", 2 * sigopt.params.x)
sigopt.log_metric("seconds", 3)
sigopt.log_metadata("kind", "real")
"""
# What the client does, without the client, which the trials' image does not have.
IN_A_POD = """\
import base64, json, os
from urllib.request import Request, urlopen
run = json.loads(base64.b64decode(os.environ["SIGOPT_CONTEXT"]))["global_run_context"]["run"]
token = base64.b64encode((os.environ["SIGOPT_API_TOKEN"] + ":").encode()).decode()
headers = {"Authorization": "Basic " + token, "Content-Type": "application/json"}
url = os.environ["SIGOPT_API_URL"] + "/v1/training_runs/" + run["id"]
body = json.dumps({"values": {"y": {"value": run["assignments"]["x"]}}}).encode()
urlopen(Request(url, body, headers, method="MERGE")).read()
"""
GOOD: dict[str, Any] = {"code": 0, "ended_by": None, "error": None}


@dataclass(frozen=True)
class Api:
    """A server with a project, and the leader's token to it."""

    address: str
    token: str
    client: int

    def __call__(self, method: str, path: str, body: Any = None, token: str = "") -> Any:
        auth = (token or self.token, "")
        return httpx.request(method, f"{self.address}/v1{path}", json=body, auth=auth)

    def runs(self) -> Any:
        return self("GET", f"/clients/{self.client}/projects/demo/training_runs").json()["data"]


@contextmanager
def serve(folder: Path, host: str) -> Iterator[Api]:
    """Serves a new store."""
    settings = Settings(folder / "api.db", folder, requests_per_second=0, failures_per_second=0)
    with serving(settings, host) as address:
        engine = open_database(settings.store)
        with writing(engine) as tx:
            client = create_client(tx, "test")
            token = create_token(tx, client, Scope.WRITE)[1]
        engine.dispose()
        made = Api(address, token, client)
        project = {"id": "demo", "name": "demo"}
        assert made("POST", f"/clients/{client}/projects", project).is_success
        yield made


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    """A server on the loopback interface."""
    with serve(tmp_path, "127.0.0.1") as served:
        yield served


@pytest.fixture
def runs(api: Api, monkeypatch: pytest.MonkeyPatch) -> TrainingRuns:
    """The leader's side of it."""
    monkeypatch.setenv("SIGOPT_API_TOKEN", api.token)
    monkeypatch.delenv("SIGOPT_API_URL", raising=False)
    return TrainingRuns(Server(url=api.address, project="demo"))


@pytest.fixture
def variables(api: Api, runs: TrainingRuns, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What the attempt's pod gets, and this process has, too."""
    found = {
        **runs.open("orc-1-abcde-1-1", {"x": 0.5}, Timeouts()),
        "SIGOPT_API_URL": api.address,
        "SIGOPT_PROJECT": "demo",
        "ORCHESTRATE_METRIC_NAMES": '["y"]',
    }
    for name, value in found.items():
        monkeypatch.setenv(name, value)
    return found


def run_of(variables: dict[str, str]) -> str:
    context = json.loads(base64.b64decode(variables["SIGOPT_CONTEXT"]))
    return str(context["global_run_context"]["run"]["id"])


def test_an_unmodified_program_reports_and_what_the_experiment_knows_is_taken_over(
    api: Api, variables: dict[str, str], tmp_path: Path
) -> None:
    environment = os.environ | variables | {"HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-c", PROGRAM], env=environment, check=True, timeout=100)
    metrics = tmp_path / "metrics.jsonl"
    metrics.write_text('{"y": 7}')  # what else it has reported, without an end of the line
    assert TrainingRun().settle(GOOD, str(metrics)) == GOOD
    assert metrics.read_text() == '{"y": 7}\n{"y": 1.0}\n'
    (run,) = api.runs()
    assert (run["state"], run["name"]) == ("completed", "orc-1-abcde-1-1")
    assert {name: said["value"] for name, said in run["values"].items()} == {"y": 1, "seconds": 3}
    assert run["metadata"] == {"kind": "real"}


def test_the_token_is_good_for_its_own_run_and_only_while_that_lasts(
    api: Api, variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(authentication, "_REMEMBERED_S", -1.0)
    monkeypatch.setattr(authentication, "_AFTERWORD_S", 0)
    own, token = f"/training_runs/{run_of(variables)}", variables["SIGOPT_API_TOKEN"]
    other = f"/clients/{api.client}/projects/demo/training_runs"
    assert api("GET", own, token=token).status_code == 200
    assert api("POST", other, {"name": "another"}, token=token).status_code == 403
    assert api("PUT", own, {"state": "completed"}, token=token).status_code == 200
    refused = api("GET", own, token=token)
    assert refused.status_code == 403
    assert "ended with its training run" in refused.json()["message"]


def test_an_attempt_that_is_submitted_twice_has_one_run(
    api: Api, runs: TrainingRuns, variables: dict[str, str]
) -> None:
    again = runs.open("orc-1-abcde-1-1", {"x": 0.5}, Timeouts())
    assert run_of(again) == run_of(variables)
    assert len(api.runs()) == 1


@pytest.mark.parametrize(
    "case",
    [
        ({**GOOD, "code": 1}, {}, "failed"),
        ({**GOOD, "code": -15, "ended_by": "timeout"}, {}, "failed"),
        ({**GOOD, "code": -15, "ended_by": "stop"}, {}, "active"),
        (GOOD, {"state": "failed"}, "failed"),  # as sigopt.log_failure() does
    ],
)
def test_what_did_not_succeed_reports_nothing(
    api: Api,
    variables: dict[str, str],
    tmp_path: Path,
    case: tuple[dict[str, Any], dict[str, Any], str],
) -> None:
    record, logged, state = case
    values = {"values": {"y": {"value": 1}}}
    assert api("MERGE", f"/training_runs/{run_of(variables)}", values | logged).is_success
    assert TrainingRun().settle(record, str(tmp_path / "metrics")) == record
    assert not (tmp_path / "metrics").exists()
    assert api.runs()[0]["state"] == state


@pytest.mark.usefixtures("variables")
def test_a_run_whose_pod_could_not_end_it_is_ended_and_an_ended_one_left_alone(
    api: Api, runs: TrainingRuns
) -> None:
    runs.close("orc-1-abcde-1-1")
    assert api.runs()[0]["state"] == "failed"
    runs.open("orc-1-abcde-2-1", {"x": 1}, Timeouts())
    assert api("PUT", f"/training_runs/{api.runs()[0]['id']}", {"state": "completed"}).is_success
    runs.close("orc-1-abcde-2-1")
    runs.close("orc-1-abcde-3-1")  # of which there is no run
    assert [run["state"] for run in api.runs()] == ["completed", "failed"]


@pytest.mark.usefixtures("variables")
def test_a_server_that_is_gone_when_the_command_ends_loses_the_attempt_and_not_the_budget(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training_run, "_PATIENCE_S", 0.0)
    monkeypatch.setenv("SIGOPT_API_URL", "http://127.0.0.1:9")
    record = TrainingRun().settle(GOOD, str(tmp_path / "metrics"))
    assert record == {**GOOD, "ended_by": "server"}


@pytest.mark.parametrize(
    ("token", "project", "complaint"),
    [
        ("", "demo", r"\$SIGOPT_API_TOKEN is not set"),
        ("f" * 64, "demo", "the token is not valid"),
        (None, "other", "there is no project 'other'"),
    ],
)
def test_what_the_server_would_not_take_is_said_beforehand(
    api: Api, monkeypatch: pytest.MonkeyPatch, token: str | None, project: str, complaint: str
) -> None:
    monkeypatch.setenv("SIGOPT_API_TOKEN", api.token if token is None else token)
    monkeypatch.setenv("SIGOPT_API_URL", api.address)
    with pytest.raises(ApiError, match=complaint):
        TrainingRuns(Server(url="http://as.pods.see.it", project=project)).check()


def test_an_address_where_nobody_answers_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGOPT_API_TOKEN", "token")
    monkeypatch.delenv("SIGOPT_API_URL", raising=False)
    with pytest.raises(ApiError, match=r"127\.0\.0\.1:9 does not answer") as caught:
        TrainingRuns(Server(url="http://127.0.0.1:9", project="demo")).check()
    assert caught.value.may_pass


def test_what_each_trial_gets_cannot_be_set_for_all(make_spec: Callable[..., Experiment]) -> None:
    backend = {"kubernetes": {"server": {"url": "http://orchestrate:8700", "project": "demo"}}}
    with pytest.raises(ValidationError, match="gives each trial its own SIGOPT_API_TOKEN"):
        make_spec(image="i", backend=backend, secrets=["SIGOPT_API_TOKEN"])


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_pod_reports_by_its_own_token_which_goes_with_it(
    kube: Any, make_bench: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve(tmp_path, "10.244.0.1") as api:  # this machine, as its pods see it
        monkeypatch.setenv("SIGOPT_API_TOKEN", api.token)
        bench = make_bench({"server": {"url": api.address, "project": "demo"}})
        attempt = bench.submit("python3", "-c", IN_A_POD)
        assert bench.until(attempt, Ended) == Ended(Exit(0)), attempt.folder.log.read_text()
        assert json.loads(attempt.folder.metrics.read_text()) == {"y": 0.25}
        secrets = kube.listed(bench.cluster.namespace, "secrets")
        (data,) = [s["data"] for s in secrets if s["metadata"]["name"].startswith("orc-")]
        assert {"SIGOPT_API_TOKEN", "SIGOPT_CONTEXT"} < set(data)
        assert base64.b64decode(data["SIGOPT_API_TOKEN"]).decode() != api.token
        assert api.runs()[0]["state"] == "completed"
        bench.executor.retain([])
        bench.wait(lambda: not bench.pods(), "end of the pod")
        bench.executor.close()
        bench.wait(lambda: not bench.objects(), "empty namespace")
