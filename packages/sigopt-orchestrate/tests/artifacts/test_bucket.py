"""Whether a bucket can be used, and what it takes."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from kept import Kept
from pretend_aws import Answer, Aws

from sigopt_orchestrate.artifacts.bucket import Bucket
from sigopt_orchestrate.artifacts.preflight import check_bucket
from sigopt_orchestrate.aws import session
from sigopt_orchestrate.aws.policy import experiment_policy
from sigopt_orchestrate.cli import main
from sigopt_orchestrate.cli.aws import policy_command
from sigopt_orchestrate.cli.doctor import doctor_command
from sigopt_orchestrate.errors import SpecError
from sigopt_orchestrate.spec import Experiment, load_experiment
from sigopt_orchestrate.spec.artifacts import Artifacts

# What IAM calls the requests that have no action of their own.
_ALLOWED_BY = {
    "s3:headbucket": "s3:listbucket",
    "s3:listobjectsv2": "s3:listbucket",
    "s3:listmultipartuploads": "s3:listbucketmultipartuploads",
    "s3:listparts": "s3:listmultipartuploadparts",
    "s3:headobject": "s3:getobject",
    "s3:deleteobjects": "s3:deleteobject",
    "s3:createmultipartupload": "s3:putobject",
    "s3:completemultipartupload": "s3:putobject",
    "s3:uploadpart": "s3:putobject",
}


@pytest.fixture
def write_file(tmp_path: Path) -> Callable[..., Path]:
    """Writes an experiment file that keeps its artifacts at this address."""

    def write(uri: object, **keys: object) -> Path:
        given = {
            "name": "toy",
            "command": ["true"],
            "parameters": [{"name": "x", "type": "double", "bounds": {"min": 0, "max": 1}}],
            "metrics": [{"name": "y"}],
            "budget": 1,
            "artifacts": {"uri": uri},
        }
        path = tmp_path / "experiment.yml"
        path.write_text(yaml.safe_dump(given | keys))
        return path

    return write


@pytest.mark.parametrize(
    "uri",
    ["bucket/a", "https://bucket/a", "s3://", "s3://UPPER/a", "s3://b", "s3://bucket/../a",
     "s3://bucket//a", "s3://bucket/a b", "s3://bucket/a?b", "s3://us..er/a"],
)  # fmt: skip
def test_an_address_that_is_none_of_s3_is_refused_with_its_line(
    write_file: Callable[..., Path], uri: str
) -> None:
    with pytest.raises(SpecError, match=r"artifacts.uri: must be s3://BUCKET or s3://BUCKET/PRE"):
        load_experiment(write_file(uri))


def test_an_address_has_one_form(write_file: Callable[..., Path]) -> None:
    spec = load_experiment(write_file("s3://team/models/"))
    assert spec.artifacts == Artifacts(uri="s3://team/models")
    assert Artifacts(uri="s3://team/").uri == "s3://team"


def test_a_probe_finds_a_good_bucket_and_its_region_and_leaves_nothing(
    aws: Aws, make_bucket: Callable[..., str]
) -> None:
    assert aws.url
    make_bucket("elsewhere", "eu-central-1")
    found = list(check_bucket(Artifacts(uri="s3://elsewhere/team")))
    assert found == [(True, "s3://elsewhere/team, eu-central-1: a probe was put, read and removed")]
    bucket = Bucket("elsewhere")
    assert bucket.keys("") == []
    assert bucket.uploads("") == []
    assert "%2Feu-central-1%2Fs3%2F" in bucket.get_address("a")


@pytest.mark.parametrize(
    ("refused", "said"),
    [("PUT", "you may not put objects"), ("POST", "you may not put objects"),
     ("GET", "you may not list uploads")],
)  # fmt: skip
def test_what_may_not_be_done_is_said_before_anything_starts(
    aws: Aws, make_bucket: Callable[..., str], refused: str, said: str
) -> None:
    make_bucket("closed")
    aws.rule = lambda call: Answer(403, "AccessDenied") if call.action.startswith(refused) else None
    ((good, why),) = check_bucket(Artifacts(uri="s3://closed/team"))
    assert not good
    assert said in why
    assert "orchestrate policy FILE" in why


@pytest.mark.usefixtures("aws")
def test_a_bucket_that_is_not_there_is_one_sentence_of_run_and_of_doctor(
    write_file: Callable[..., Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file, home = str(write_file("s3://no-such-bucket/a")), str(tmp_path / "home")
    monkeypatch.setattr("sys.argv", ["orchestrate", "run", file, "--home", home])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    said = f"orchestrate: {file}: artifacts.uri: there is no bucket 'no-such-bucket'\n"
    assert capsys.readouterr().err == said
    assert not (tmp_path / "home").exists()
    seen = CliRunner().invoke(doctor_command, [file, "--home", home, "--json"])
    found = {one["check"]: one for one in json.loads(seen.stdout)}
    assert found["artifacts"]["verdict"] == "bad"
    assert seen.exit_code == 1


def test_the_policy_allows_all_that_is_asked_and_nothing_else(
    kept: Kept, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, write_file: Callable[..., Path]
) -> None:
    made = {"s3:putobject"}  # by couriers
    honest = session.Client.guarded

    def noted(self: session.Client, operation: str, work: Callable[[], Any]) -> Any:
        name = f"{self.service}:{operation.replace('_', '')}"
        made.add(_ALLOWED_BY.get(name, name))
        return honest(self, operation, work)

    monkeypatch.setattr(session.Client, "guarded", noted)
    ((good, _),) = check_bucket(Artifacts(uri="s3://kept/team"))
    assert good
    for name, size in (("a", 3), ("b", 50)):
        (tmp_path / name).write_bytes(b"x" * size)
        kept.courier().send("checkpoint", {name: str(tmp_path / name)})
    assert kept.courier().fetch("checkpoint", str(tmp_path / "fetched"))
    assert kept.keeper.found() == [("checkpoint", 1, 0)]
    kept.keeper.drop_checkpoint(1)
    printed = CliRunner().invoke(policy_command, [str(write_file("s3://kept/team"))])
    document = json.loads(printed.stdout)
    looks, objects = document["Statement"]
    assert looks["Resource"] == "arn:aws:s3:::kept"
    assert looks["Condition"] == {"StringLikeIfExists": {"s3:prefix": "team/*"}}
    assert objects["Resource"] == "arn:aws:s3:::kept/team/*"
    allowed = {action.lower() for one in (looks, objects) for action in one["Action"]}
    assert made == allowed


def test_an_experiment_on_ec2_needs_both(make_spec: Callable[..., Experiment]) -> None:
    backend = {"ec2": {"address": "http://127.0.0.1:8701"}}
    plain = experiment_policy(make_spec(backend=backend))["Statement"]
    both = experiment_policy(make_spec(backend=backend, artifacts={"uri": "s3://kept"}))
    assert both["Statement"][: len(plain)] == plain
    assert [one["Sid"] for one in both["Statement"][len(plain) :]] == [
        "FindArtifacts",
        "KeepArtifacts",
    ]
    assert both["Statement"][-1]["Resource"] == "arn:aws:s3:::kept/*"
