"""The old tools' files, with every field that they knew, migrate and run."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

COMMAND = [sys.executable, "-m", "sigopt_orchestrate"]
Orchestrate = Callable[..., subprocess.CompletedProcess[str]]

GENERATION_1 = """
name: sgd-classifier
install: [pip install -r requirements.txt]
run: python model.py --fold {literal}
pythonpath: src
image: orchestrate/sgd
build_image: true
framework: python
language: python3.6
job_spec_patch: patch.yml
aws: {aws_access_key_id: AKIA0, aws_secret_access_key: s3cret}
sigopt: {api_token: t0ken}
resources_per_model: {gpus: 1, requests: {cpu: 500m, memory: 512Mi}, limits: {memory: 2Gi}}
optimization:
  metrics: [{name: accuracy}]
  parameters:
  - {name: alpha, type: double, bounds: {min: 0.00001, max: 1.0}, transformation: log}
  - {name: layers, type: int, bounds: {min: 1, max: 3}}
  - {name: loss, type: categorical, categorical_values: [{name: hinge}, {name: log}]}
  parallel_bandwidth: 2
  observation_budget: 4
  metadata: {team: a}
"""
MODEL = """
import sys
from sigopt_orchestrate import io

assert sys.argv[1:] == ["--fold", "{literal}"], sys.argv
io.log_metadata("layers", io.assignment("layers"))
if io.assignment("layers") == 1:
    io.log_failure()
io.log_metric("accuracy", 1 - io.assignment("alpha", default=0.5))
"""
RUN = """
name: a run
run: [python, train.py]
image: me/train:1
resources: {limits: {memory: 1Gi, cpu: 2}, gpus: 1}
"""
EXPERIMENT = """
name: two
type: random
parameters:
- {name: rate, type: double, grid: [0.1, 0.01], conditions: {kind: [fast]}}
- {name: width, type: int, bounds: {min: 1, max: 9}}
conditionals: [{name: kind, values: [fast, slow]}]
metrics:
- {name: loss, objective: minimize, strategy: optimize}
- {name: size, objective: minimize, strategy: constraint, threshold: 5}
budget: 5
parallel_bandwidth: 2
training_monitor:
  max_checkpoints: 9
  early_stopping_criteria:
  - {name: s, type: convergence, metric: loss, lookback_checkpoints: 3, min_checkpoints: 2}
"""
TRAIN = """
from sigopt_orchestrate import parameters, report

given = parameters()
assert ("rate" in given) == (given["kind"] == "fast"), given
report(loss=given.get("rate", 1), size=given["width"])
"""
CLUSTER = """
cluster_name: tiny-cluster
provider: aws
kubernetes_version: '1.20'
cpu: {instance_type: t2.small, min_nodes: 1, max_nodes: 2}
gpu: {instance_type: p3.2xlarge, min_nodes: 0, max_nodes: 2, node_volume_size: 100}
aws:
  aws_access_key_id: AKIA0
  aws_secret_access_key: s3cret
  additional_policies: [AmazonS3ReadOnlyAccess]
"""


@pytest.fixture
def orchestrate(tmp_path: Path) -> Orchestrate:
    """Runs `orchestrate` in the folder with the old files, whose `python` is this one."""
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))

    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*COMMAND, *arguments],
            cwd=tmp_path,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )

    return call


def test_an_orchestrate_yml_becomes_an_experiment_that_runs(
    orchestrate: Orchestrate, tmp_path: Path
) -> None:
    (tmp_path / "orchestrate.yml").write_text(GENERATION_1)
    (tmp_path / "model.py").write_text(MODEL)
    said = orchestrate("migrate", "orchestrate.yml", "--json")
    assert said.returncode == 0, said.stderr
    told = {note.partition(":")[0] for note in json.loads(said.stdout)["notes"]}
    assert {"install", "image", "framework", "language", "aws", "sigopt", "metadata"} <= told
    text = (tmp_path / "migrated.yml").read_text()
    assert "s3cret" not in text
    assert "t0ken" not in text
    keys = yaml.safe_load(text)
    assert keys.pop("env") == {"PYTHONPATH": "src"}  # where the tests find the package themselves
    (tmp_path / "migrated.yml").write_text(yaml.safe_dump(keys))
    ran = orchestrate("run", "migrated.yml", "--json")
    assert ran.returncode == 0, ran.stderr
    summary = json.loads(ran.stdout)
    assert summary["observed"] == 4
    assert summary["best"][0]["values"]["accuracy"] > 0
    assert orchestrate("migrate", "orchestrate.yml").returncode == 2, "nothing is overwritten"


def test_a_run_yml_and_an_experiment_yml_become_one_that_runs(
    orchestrate: Orchestrate, tmp_path: Path
) -> None:
    for name, text in (("run.yml", RUN), ("experiment.yml", EXPERIMENT), ("train.py", TRAIN)):
        (tmp_path / name).write_text(text)
    said = orchestrate("migrate", "run.yml", "experiment.yml", "-o", "new.yml")
    assert said.returncode == 0, said.stderr
    assert "parallel_bandwidth: is parallel now" in said.stderr
    keys: dict[str, Any] = yaml.safe_load((tmp_path / "new.yml").read_text())
    assert (keys["name"], keys["parallel"], keys["budget"]) == ("two", 2, 5)
    assert keys["resources"] == {"memory": "1Gi"}
    assert keys["early_stopping"]["lookback"] == 3
    assert keys["metrics"][1]["threshold"] == 5
    ran = orchestrate("run", "new.yml", "--json")
    assert ran.returncode == 0, ran.stderr
    for trial in json.loads(ran.stdout)["best"]:
        assert trial["values"]["size"] <= 5, "the best keeps the constraint"


def test_a_cluster_yml_becomes_a_plan(orchestrate: Orchestrate, tmp_path: Path) -> None:
    (tmp_path / "cluster.yml").write_text(CLUSTER)
    said = orchestrate("migrate", "cluster.yml")
    assert said.returncode == 0, said.stderr
    assert "aws: its keys are dropped" in said.stderr
    text = (tmp_path / "cluster-plan.yml").read_text()
    plan = yaml.safe_load(text)
    assert plan["nodes"]["gpu"]["node_volume_size"] == 100
    assert plan["policies"] == ["AmazonS3ReadOnlyAccess"]
    assert "s3cret" not in text


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("cluster_name: 1bad\ncpu: {max_nodes: 1, instance_type: a}", "must be letters, digits"),
        ("cluster_name: a\nprovider: aws", "cpu or gpu: at least one group"),
        (
            "cluster_name: a\nprovider: aws\ncpu: {instance_type: t, min_nodes: 3, max_nodes: 1}",
            "nodes.cpu: min_nodes (3) must not be above max_nodes (1)",
        ),
        ("image: x", "is none of the old tools' files"),
        ("- a", "must be a mapping"),
        ("a: [", "not valid YAML"),
        ("run: python x.py", "no experiment among the files"),
        ("parameters: [{name: x}]\nmetrics: [{name: y}]", "parameters.x: must have type"),
        ("parameters: []\nmetrics: [{name: y}]", "parameters: must be a list"),
    ],
)
def test_what_cannot_be_migrated_is_one_sentence(
    orchestrate: Orchestrate, tmp_path: Path, text: str, sentence: str
) -> None:
    (tmp_path / "old.yml").write_text(text)
    said = orchestrate("migrate", "old.yml")
    assert said.returncode == 2
    assert sentence in said.stderr
    assert len(said.stderr.splitlines()) == 1
