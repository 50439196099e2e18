"""The orphaned client's own command line, unmodified, against our server."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

Sigopt = Callable[..., subprocess.CompletedProcess[str]]

PROGRAM = """
import sigopt
sigopt.params.setdefaults(dict(x=0.5, kind="a"))
sigopt.log_dataset("made up")
sigopt.log_metadata("threads", 1)
sigopt.log_model("tree")
for epoch in range(3):
    sigopt.log_checkpoint({"accuracy": epoch / 3})
if sigopt.params.x > 0.75:
    sigopt.log_failure()
sigopt.log_metric("accuracy", sigopt.params.x, stddev=0.1)
"""
BOOSTED = """
import numpy as np
import sigopt.xgboost
import xgboost

rng = np.random.default_rng(0)
X = rng.normal(size=(200, 4))
y = (X[:, 0] + X[:, 1] > 0).astype(int)
train, valid = xgboost.DMatrix(X[:150], y[:150]), xgboost.DMatrix(X[150:], y[150:])
params = {"objective": "binary:logistic", "nthread": 1}
sigopt.xgboost.run(params, train, 5, evals=[(valid, "valid")], verbose_eval=1)
sigopt.xgboost.experiment(
    {
        "name": "boost",
        "metrics": [{"name": "accuracy", "strategy": "optimize", "objective": "maximize"}],
        "parameters": [{"name": "max_depth"}, {"name": "eta"}],
        "budget": 2,
        "type": "random",
    },
    train,
    [(valid, "valid")],
    params,
    num_boost_round=5,
)
"""
EXPERIMENT = {
    "name": "tune",
    "type": "random",
    "parameters": [
        {"name": "x", "type": "double", "bounds": {"min": 0, "max": 1}},
        {"name": "kind", "type": "categorical", "categorical_values": ["a", "b"]},
    ],
    "metrics": [{"name": "accuracy"}],
    "budget": 4,
    "parallel_bandwidth": 2,
}


@pytest.fixture
def environment(caller: Any, workdir: Path) -> dict[str, str]:
    """What tells the client where we are: SIGOPT_API_URL alone, beside the token."""
    given = os.environ | {
        "SIGOPT_API_URL": caller.address,
        "SIGOPT_API_TOKEN": caller.token,
        "SIGOPT_PROJECT": "demo",
        "HOME": str(workdir),
    }
    given.pop("SIGOPT_CONTEXT", None)
    return given


@pytest.fixture
def sigopt(environment: dict[str, str], workdir: Path) -> Sigopt:
    """Runs `sigopt` with these arguments."""
    (workdir / "train.py").write_text(PROGRAM)
    (workdir / "experiment.yml").write_text(yaml.safe_dump(EXPERIMENT))

    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "sigopt.cli", *arguments],
            env=environment,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    call("create", "project")
    return call


def runs_of(caller: Any) -> list[Any]:
    listed = caller.ok("GET", f"/clients/{caller.client_id}/training_runs")
    data: list[Any] = listed["data"]
    return data


def test_run_stores_one_run_with_all_that_the_program_logged(sigopt: Sigopt, caller: Any) -> None:
    sigopt("run", "-s", "train.py", sys.executable, "train.py")
    (run,) = runs_of(caller)
    assert run["state"] == "completed"
    assert run["assignments"] == {"x": 0.5, "kind": "a"}
    assert run["values"]["accuracy"] == {
        "object": "metric_evaluation",
        "name": "accuracy",
        "value": 0.5,
        "value_stddev": 0.1,
    }
    assert (run["model"], run["metadata"]) == ({"type": "tree"}, {"threads": 1})
    assert run["datasets"] == {"made up": {}}
    assert run["source_code"]["content"] == PROGRAM
    listed = caller.ok("GET", f"/training_runs/{run['id']}/checkpoints")
    assert run["checkpoint_count"] == listed["count"] == 3


def test_optimize_runs_an_experiment_to_its_budget(sigopt: Sigopt, caller: Any) -> None:
    sigopt("optimize", sys.executable, "train.py")
    (experiment,) = caller.ok("GET", "/aiexperiments")["data"]
    assert experiment["progress"]["finished_run_count"] == 4
    assert experiment["progress"]["remaining_budget"] == 0
    runs = runs_of(caller)
    observed = caller.ok("GET", f"/experiments/{experiment['id']}/observations")["data"]
    assert {o["id"] for o in observed} == {run["observation"] for run in runs}
    for run in runs:
        (observation,) = [o for o in observed if o["id"] == run["observation"]]
        assert observation["assignments"] == run["assignments"]
        assert observation["failed"] == (run["assignments"]["x"] > 0.75)
    (best,) = caller.ok("GET", f"/aiexperiments/{experiment['id']}/best_training_runs")["data"]
    good = [r["assignments"]["x"] for r in runs if r["state"] == "completed"]
    assert best["assignments"]["x"] == max(good)


def test_start_worker_takes_part_in_an_experiment(sigopt: Sigopt, caller: Any) -> None:
    said = sigopt("create", "experiment").stdout
    assert "sigopt start-worker" in said
    (experiment,) = caller.ok("GET", "/aiexperiments")["data"]
    sigopt("start-worker", experiment["id"], sys.executable, "train.py")
    assert len(runs_of(caller)) == 4
    sigopt("archive", "experiment", experiment["id"])
    assert caller.ok("GET", "/aiexperiments")["count"] == 0
    sigopt("unarchive", "experiment", experiment["id"])
    assert caller.ok("GET", "/aiexperiments")["count"] == 1
    run = runs_of(caller)[0]["id"]
    sigopt("archive", "run", run)
    assert len(runs_of(caller)) == 3
    deleted = json.dumps([{"field": "deleted", "operator": "==", "value": True}])
    path = f"/clients/{caller.client_id}/training_runs"
    assert caller.ok("GET", path, params={"filters": deleted})["data"][0]["id"] == run
    sigopt("unarchive", "run", run)
    assert len(runs_of(caller)) == 4


def test_the_xgboost_integration_tracks_a_run_and_tunes(
    environment: dict[str, str], caller: Any, workdir: Path
) -> None:
    pytest.importorskip("xgboost", reason="the integration needs xgboost, or xgboost-cpu")
    caller.ok("POST", f"/clients/{caller.client_id}/projects", {"id": "demo", "name": "demo"})
    (workdir / "boosted.py").write_text(BOOSTED)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "boosted.py"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    *tuned, single = runs_of(caller)
    assert single["model"] == {"type": "XGBoost"}
    assert single["sys_metadata"]["feature_importances"]["scores"]
    assert single["assignments_meta"]["num_boost_round"] == {"source": "User Specified"}
    assert single["checkpoint_count"] == 5
    assert 0 <= single["values"]["valid-accuracy"]["value"] <= 1
    (experiment,) = caller.ok("GET", "/aiexperiments")["data"]
    assert experiment["progress"]["remaining_budget"] == 0
    assert {run["state"] for run in tuned} == {"completed"}
    assert all(run["observation"] for run in tuned)
    assert {p["name"] for p in experiment["parameters"]} == {"max_depth", "eta"}
