"""What SigOpt's API answered, kept as JSON, becomes an experiment here with the same results."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

BODY = {
    "name": "kept",
    "project": None,
    "parameters": [
        {
            "name": "rate",
            "type": "double",
            "bounds": {"min": 1e-3, "max": 1},
            "transformation": "log",
        },
        {"name": "kind", "type": "categorical", "categorical_values": ["a", "b"]},
    ],
    "metrics": [
        {"name": "loss", "objective": "minimize"},
        {"name": "size", "objective": "minimize", "strategy": "store"},
    ],
    "observation_budget": 5,
    "metadata": {"team": "vision"},
}  # fmt: skip
RESULTS = [("a", 0.1, 0.5), ("b", 0.25, None), ("a", 0.5, 0.125)]


@pytest.fixture
def exported(caller: Any) -> dict[str, Any]:
    """The two answers of a server with an experiment of three observations, one of them failed."""
    made = caller.ok("POST", f"/clients/{caller.client_id}/experiments", BODY)
    path = f"/experiments/{made['id']}"
    for kind, rate, loss in RESULTS:
        values = [
            {"name": "loss", "value": loss, "value_stddev": 0.01},
            {"name": "size", "value": 3},
        ]
        told = {"failed": True} if loss is None else {"values": values}
        assignments = {"rate": rate, "kind": kind}
        caller.ok("POST", f"{path}/observations", {"assignments": assignments, **told})
    observations = caller.ok("GET", f"{path}/observations")
    return {"experiment": caller.ok("GET", path), "observations": observations}


@pytest.fixture
def take_over(caller: Any, sqlite_api: Any, tmp_path: Path) -> Callable[[Any], Any]:
    """Runs `orchestrate import sigopt` on a document, beside the server that runs."""

    def run(document: Any) -> Any:
        file = tmp_path / "kept.json"
        file.write_text(json.dumps(document))
        command = [sys.executable, "-m", "sigopt_orchestrate", "import", "sigopt", file, "--json"]
        where = ["--client", str(caller.client_id), "--home", sqlite_api.settings.folder]
        return subprocess.run([*command, *where], capture_output=True, text=True, check=False)

    return run


def _told(observation: Any) -> Any:
    values = {v["name"]: (v["value"], v["value_stddev"]) for v in observation["values"]}
    return observation["assignments"], observation["failed"], values


@pytest.mark.parametrize("page", [True, False], ids=["as a page", "as a list"])
def test_an_exported_experiment_comes_back_with_every_observation_in_order(
    caller: Any, exported: dict[str, Any], take_over: Callable[[Any], Any], page: bool
) -> None:
    kept = exported["observations"]
    document = {**exported, "observations": kept if page else kept["data"]}
    done = take_over(document)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["observations"] == 3
    made = caller.ok("GET", f"/experiments/{said['id']}")
    assert made["metadata"] == {"team": "vision", "sigopt_experiment": exported["experiment"]["id"]}
    for key in ("name", "metrics", "observation_budget"):
        assert made[key] == exported["experiment"][key]
    assert [p["name"] for p in made["parameters"]] == ["kind", "rate"]
    again = caller.ok("GET", f"/experiments/{said['id']}/observations")["data"]
    assert list(map(_told, again)) == list(map(_told, kept["data"]))
    best = caller.ok("GET", f"/experiments/{said['id']}/best_assignments")["data"]
    assert best[0]["assignments"] == {"rate": 0.5, "kind": "a"}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda d: [d], "must be an object with `experiment`"),
        (lambda d: {**d, "observations": 3}, "must be an object with `experiment`"),
        (lambda d: {**d, "observations": [{"assignments": {"rate": 9}}]}, "kept.json"),
    ],
)
def test_what_is_no_export_is_refused_whole(
    caller: Any,
    exported: dict[str, Any],
    take_over: Callable[[Any], Any],
    change: Callable[[Any], Any],
    sentence: str,
) -> None:
    before = caller.ok("GET", f"/clients/{caller.client_id}/experiments")["count"]
    done = take_over(change(exported))
    assert done.returncode == 2
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert caller.ok("GET", f"/clients/{caller.client_id}/experiments")["count"] == before
