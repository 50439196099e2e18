"""`orchestrate` with a cluster: whole runs, and what it says before anything starts."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from cluster import IMAGE, Kube

from sigopt_orchestrate.executors.kubernetes.rights import role_rules

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
COMMAND = [sys.executable, "-m", "sigopt_orchestrate"]
LINE = """printf '{{"y": %s}}' {x} > "$ORCHESTRATE_METRICS"; echo trial {x}"""

Orchestrate = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def environment(kube: Kube, tmp_path: Path) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("ORCHESTRATE_")}
    return kept | {"KUBECONFIG": str(kube.kubeconfig), "XDG_CONFIG_HOME": str(tmp_path / "config")}


@pytest.fixture
def orchestrate(tmp_path: Path, environment: dict[str, str]) -> Orchestrate:
    """Runs `orchestrate` with these arguments in an empty folder."""

    def call(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*COMMAND, *arguments],
            cwd=tmp_path,
            env=environment | more,
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )

    return call


@pytest.fixture
def write(tmp_path: Path, namespace: str) -> Callable[..., str]:
    """Writes `experiment.yml`; keywords replace its keys."""

    def write_file(backend: dict[str, Any] | None = None, **keys: Any) -> str:
        given = {
            "name": "quick",
            "command": LINE,
            "parameters": [{"name": "x", "type": "double", "bounds": {"min": 0, "max": 1}}],
            "metrics": [{"name": "y"}],
            "budget": 4,
            "parallel": 2,
            "optimizer": {"algorithm": "random", "seed": 1},
            "image": IMAGE,
            "backend": {"kubernetes": {"namespace": namespace, **(backend or {})}},
        }
        file = tmp_path / "experiment.yml"
        file.write_text(yaml.safe_dump(given | keys))
        return str(file)

    return write_file


def until_nothing_is_left(kube: Kube, namespace: str) -> None:
    deadline = time.monotonic() + 240  # the garbage collector's and the kubelet's own time
    while left := kube.ours(namespace):
        assert time.monotonic() < deadline, left


def test_a_run_in_pods_is_whole_cheap_and_leaves_nothing(
    orchestrate: Orchestrate, write: Callable[..., str], kube: Kube, namespace: str
) -> None:
    done = orchestrate("run", write(), "--json")
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["observed"] == summary["trials"]["completed"] == 4
    assert orchestrate("logs").stdout.count("trial 0.") == 4
    until_nothing_is_left(kube, namespace)
    calls = [e for e in kube.audited() if f"/namespaces/{namespace}/" in e["requestURI"]]
    made = [e for e in calls if "dryRun" not in e["requestURI"]]
    transitions = 4 * 5  # leased, submitted, running, reporting, completed
    assert 0 < len(made) <= 2 * transitions


def test_a_killed_leader_is_followed(
    orchestrate: Orchestrate,
    write: Callable[..., str],
    environment: dict[str, str],
    tmp_path: Path,
) -> None:
    name = write(command=f"sleep 1; {LINE}")
    with subprocess.Popen(
        [*COMMAND, "run", name], cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True
    ) as first:
        assert first.stdout is not None
        assert any("/4] trial" in line for line in first.stdout)  # the first two may end together
        first.send_signal(signal.SIGKILL)
    done = orchestrate("resume", "--json")
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["observed"] == summary["trials"]["completed"] == 4


def test_stop_without_a_leader_ends_the_pods(
    orchestrate: Orchestrate,
    write: Callable[..., str],
    environment: dict[str, str],
    kube: Kube,
    namespace: str,
) -> None:
    name = write(command="sleep 600", timeouts={"grace": "1s"})
    folder = Path(name).parent
    with subprocess.Popen([*COMMAND, "run", name], cwd=folder, env=environment) as first:
        while not kube.ours(namespace):
            assert first.poll() is None
        first.kill()
    assert orchestrate("stop").returncode == 0
    until_nothing_is_left(kube, namespace)
    assert orchestrate("list").stdout.count("stopped") == 1


def test_status_and_top_say_what_a_trial_waits_for_and_what_it_asks(
    orchestrate: Orchestrate, write: Callable[..., str], environment: dict[str, str], tmp_path: Path
) -> None:
    name = write(budget=1, parallel=1, resources={"cpu": 500, "memory": "1Gi"})
    with subprocess.Popen([*COMMAND, "run", name], cwd=tmp_path, env=environment) as leader:
        file = tmp_path / ".orchestrate/experiments/1/trials/0001/1/place.json"
        while not file.exists() or "Insufficient cpu" not in file.read_text():
            with suppress(subprocess.TimeoutExpired):
                raise AssertionError(f"the leader has ended with {leader.wait(0.2)}")
        (trial,) = json.loads(orchestrate("status", "--json").stdout)["trials"]
        assert trial["place"]["requests"] == {"cpu": 500, "memory": 2**30}
        assert trial["place"]["waits_for"].startswith("no node: ")
        for command in (["status"], ["top", "--once"]):
            shown = orchestrate(*command).stdout
            assert "waits: no node" in shown
            assert "500 cpu, 1 GiB" in shown
        leader.send_signal(signal.SIGTERM)
    assert leader.returncode == 3


def test_what_cannot_work_is_said_in_one_sentence_before_anything_is_made(
    orchestrate: Orchestrate, write: Callable[..., str], kube: Kube
) -> None:
    done = orchestrate("run", write({"priority_class": "none-such"}))
    assert done.returncode == 2, done.stdout
    assert "none-such" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    said = kube.kubectl("get", "pods,secrets,configmaps", "--all-namespaces", "-o", "name")
    assert "/orc-check" not in said
    assert json.loads(orchestrate("list", "--json").stdout or "[]") == []


def test_rights_are_named_and_the_role_is_enough(
    orchestrate: Orchestrate, write: Callable[..., str], kube: Kube, namespace: str, tmp_path: Path
) -> None:
    narrow = tmp_path / "narrow"
    narrow.write_text(kube.account(namespace, []))
    refused = orchestrate("run", write(budget=1), KUBECONFIG=str(narrow))
    assert refused.returncode == 2
    assert "you may not: create configmaps" in refused.stderr
    narrow.write_text(kube.account(namespace, role_rules()))
    done = orchestrate("run", write(budget=1), "--json", KUBECONFIG=str(narrow))
    assert done.returncode == 0, done.stderr


def test_a_cluster_is_connected_tested_named_and_forgotten(
    orchestrate: Orchestrate, write: Callable[..., str], kube: Kube, namespace: str
) -> None:
    connected = orchestrate("cluster", "connect", "lab", "--namespace", namespace)
    assert connected.returncode == 0, connected.stderr
    name = write(backend={"cluster": "lab", "namespace": None})
    tested = orchestrate("cluster", "test", "lab", "--file", name, "--json")
    assert {one["verdict"] for one in json.loads(tested.stdout)} <= {"ok", "note"}
    path = f"{kube.binaries}:{os.environ['PATH']}"
    asked = ("kubectl", "--cluster", "lab", "get", "serviceaccounts", "-o", "name")
    assert "serviceaccount/default" in orchestrate(*asked, PATH=path).stdout
    assert orchestrate("cluster", "disconnect", "lab").returncode == 0
    assert "not connected" in orchestrate("run", name).stderr
    wrong = orchestrate("cluster", "connect", "lab", "--namespace", "missing")
    assert wrong.returncode == 2
    assert orchestrate("cluster", "list").stdout == ""


def test_the_server_refuses_or_takes_an_installation_whole(
    orchestrate: Orchestrate, kube: Kube, namespace: str
) -> None:
    orchestrate("cluster", "connect", "lab", "--namespace", namespace)
    printed = orchestrate("cluster", "install", "lab", "--image", IMAGE, "--print")
    kube.kubectl("apply", "--dry-run=server", "-f", "-", given=printed.stdout)
    bad = orchestrate("cluster", "install", "lab", "--image", IMAGE, "--storage", "much")
    assert bad.returncode == 2
    assert "persistentvolumeclaim" in bad.stderr
    assert kube.get("serviceaccounts", "-n", namespace)[0]["metadata"]["name"] == "default"
    for _ in range(2):
        done = orchestrate("cluster", "install", "lab", "--image", IMAGE)
        assert done.returncode == 0, done.stderr
    assert orchestrate("cluster", "uninstall", "lab").returncode == 0
    assert not kube.get("deployments", "-n", namespace)
