"""Instances that really run: the user data that moto has stored, in namespaces for hosts."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from hosting import PATIENCE_S, Experiment, ended_at_last, let_go, wait_for
from namespace_hosts import Hosts, spot_notice
from pretend_aws import Answer, Aws, Call, reachable_at

from sigopt_orchestrate.artifacts.bucket import Bucket
from sigopt_orchestrate.store import Home


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_trials_outlive_a_spot_notice_a_killed_agent_and_a_restarted_server(
    aws: Aws, hosts: Hosts, tmp_path: Path
) -> None:
    command = (
        "trap 'echo saved; exit 1' TERM; while [ -e hold ] || [ ! -e go ]; do sleep 0.05; done; "
        'echo {{}} of $(hostname); printf \'{{"y": %s}}\' {x} > "$ORCHESTRATE_METRICS"'
    )
    experiment = Experiment(
        tmp_path,
        aws,
        hosts.address,
        command=command,
        budget=2,
        parallel=2,
        files={"factor": "2\n"},
        ec2={"lease": "1m", "setup": "test $(cat factor) = 2 && sleep 0.1 && echo >> prepared"},
    )
    with ended_at_last(experiment):
        experiment.lead()
        first, second = wait_for(lambda: r if len(r := experiment.running()) == 2 else None)
        taken = hosts.hosts[experiment.place(first)]
        spot_notice(taken)
        lost = wait_for(
            lambda: [t for t in experiment.running() if t.number == first.number and t.attempt == 2]
        )
        assert lost[0].losses == 1
        assert taken.by_itself
        assert f"EC2 takes {taken.id} back (spot)" in (lost[0].reason or "")
        killed = hosts.hosts[experiment.place(second)]
        assert hosts.kill_agent(killed)
        wait_for(lambda: killed.ended_at is not None and killed.by_itself)
        experiment.kill()
        experiment.lead("resume", "1")
        kept = hosts.hosts[experiment.place(lost[0])]
        wait_for(lambda: experiment.over() or let_go(hosts))
        experiment.finish()
    trials = experiment.trials()
    assert [trial.values for trial in trials] == [{"y": t.assignments["x"]} for t in trials]
    assert trials[first.number - 1].attempt == 2, "the restart has cost it nothing"
    assert kept.id in {experiment.place(trial) for trial in trials}
    log = Home(experiment.home).experiment(1).attempt(first.number, 2).log
    assert log.read_text() == f"{{}} of h{kept.number}\n"
    assert not aws.instances("running", "pending")
    wait_for(lambda: not hosts.running)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_an_instance_whose_server_is_dead_ends_itself_even_if_its_agent_hangs(
    aws: Aws, hosts: Hosts, tmp_path: Path
) -> None:
    experiment = Experiment(tmp_path, aws, hosts.address, command="sleep 600", budget=2, parallel=2)
    with ended_at_last(experiment):
        experiment.lead()
        wait_for(lambda: len(experiment.running()) == 2)
        hosts.signal_agent(hosts.running[0], signal.SIGSTOP)
        experiment.kill()
        wait_for(lambda: not hosts.running)
    assert all(host.by_itself for host in hosts.hosts.values())
    assert not aws.instances("running", "pending")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_setup_that_fails_is_a_mistake_in_the_experiment(
    aws: Aws, hosts: Hosts, tmp_path: Path
) -> None:
    setup = "echo no such package; exit 3"
    experiment = Experiment(
        tmp_path, aws, hosts.address, command="true", budget=2, ec2={"setup": setup}
    )
    with ended_at_last(experiment):
        experiment.lead()
        assert experiment.leader is not None
        assert experiment.leader.wait(PATIENCE_S) == 2
    said = (tmp_path / "leader.log").read_text()
    assert "setup: exit status 3: no such package" in said
    assert not aws.instances("running", "pending")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_example_tunes_cmn(aws: Aws, hosts: Hosts, tmp_path: Path) -> None:
    if "CMN_DATA" not in os.environ:
        pytest.skip("CMN_DATA is not set: the folder with movielens-small")
    if not (Path(sys.executable).parent / "cmn").exists():
        pytest.skip("the package cmn is not installed beside this one")
    file = Path(__file__).parents[2] / "examples" / "ec2" / "experiment.yml"
    keys = yaml.safe_load(file.read_text())
    keys["env"]["CMN_DATA"] = os.environ["CMN_DATA"]
    ec2 = {**keys["backend"]["ec2"], "lease": "5m"}
    experiment = Experiment(tmp_path, aws, hosts.address, **{**keys, "budget": 2, "ec2": ec2})
    with ended_at_last(experiment):
        experiment.lead()
        experiment.finish()
    trials = experiment.trials()
    assert [trial.state for trial in trials] == ["completed", "completed"]
    assert all(trial.values and trial.values["ndcg@10"] > 0 for trial in trials)
    assert not aws.instances("running", "pending")


_RESUMING = """
if [ -e "$ORCHESTRATE_CHECKPOINT/model" ]; then
  cp "$ORCHESTRATE_CHECKPOINT/model" "$ORCHESTRATE_OUTPUT/"
  echo resumed
  printf '{{"y": 1}}' > "$ORCHESTRATE_METRICS"
else
  head -c 17000000 /dev/zero > "$ORCHESTRATE_CHECKPOINT/model.part"
  mv "$ORCHESTRATE_CHECKPOINT/model.part" "$ORCHESTRATE_CHECKPOINT/model"
  echo begun
  exec sleep 600
fi
"""


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_trial_goes_on_from_its_checkpoint_in_s3_when_its_instance_is_killed(
    aws: Aws, hosts: Hosts, make_bucket: Callable[..., str], tmp_path: Path
) -> None:
    bucket = Bucket(make_bucket("host-artifacts"))
    with reachable_at(aws, hosts.address) as url:
        experiment = Experiment(
            tmp_path,
            aws,
            hosts.address,
            environ={"AWS_ENDPOINT_URL_S3": url},
            command=_RESUMING,
            budget=1,
            artifacts={"uri": "s3://host-artifacts/team", "checkpoint_every": 1},
        )
        with ended_at_last(experiment):
            experiment.lead()
            wait_for(lambda: any(key.endswith("checkpoint.json") for key in bucket.keys("")))
            (killed,) = aws.instances("running")
            killed.terminate()
            experiment.finish()
    (trial,) = experiment.trials()
    assert (trial.values, trial.attempt, trial.losses) == ({"y": 1.0}, 2, 1)
    kept = bucket.keys("")
    root = kept[0].partition("/trials/")[0]
    names = ("1/records.json", "1/records/log", "2/output.json", "2/output/model")
    names += ("2/records.json", "2/records/log", "2/records/metrics.jsonl")
    assert kept == [f"{root}/trials/0001/{name}" for name in names]
    assert bucket.checksum(f"{root}/trials/0001/2/output/model") is not None
    with bucket.call("get_object", Key=f"{root}/trials/0001/2/output/model")["Body"] as body:
        assert body.read() == bytes(17_000_000)
    assert bucket.uploads("") == []
    assert Home(experiment.home).experiment(1).attempt(1, 2).log.read_text() == "resumed\n"


_MEETING = """
import json, os, socket
address = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
if os.environ["RANK"] == "0":
    with socket.create_server(address) as server, server.accept()[0] as other:
        said = other.recv(100).decode()
    with open(os.environ["ORCHESTRATE_METRICS"], "w") as file:
        json.dump({"y": len(said)}, file)
    print(said)
else:
    while True:
        try:
            with socket.create_connection(address) as first:
                first.sendall(("rank 1 of " + os.environ["WORLD_SIZE"]).encode())
            break
        except ConnectionRefusedError:
            pass
"""


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_gang_of_two_meets_in_a_placement_group(aws: Aws, hosts: Hosts, tmp_path: Path) -> None:
    asked: list[str] = []

    def placement(call: Call) -> Answer | None:  # moto has none
        if call.action not in {"CreatePlacementGroup", "DeletePlacementGroup"}:
            return None
        asked.append(f"{call.action} {call.given['GroupName']}")
        return Answer(200, body=f"<{call.action}Response/>".encode())

    aws.rule = placement
    experiment = Experiment(
        tmp_path,
        aws,
        hosts.address,
        files={"meet.py": _MEETING},
        command="python3 meet.py",
        nodes={"count": 2},
        budget=1,
    )
    with ended_at_last(experiment):
        experiment.lead()
        experiment.finish()
    (trial,) = experiment.trials()
    assert trial.values == {"y": len("rank 1 of 2")}
    created, deleted = asked
    assert created == deleted.replace("Delete", "Create")
    assert len(hosts.hosts) == 2
    assert not aws.instances("running", "pending")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_limit_of_cost_starts_no_further_trial_and_each_costs_what_it_took(
    aws: Aws, hosts: Hosts, tmp_path: Path
) -> None:
    """Over TLS, with a secret."""
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    made += ["-nodes", "-days", "2", "-subj", f"/CN={hosts.address}"]
    made += ["-addext", f"subjectAltName=IP:{hosts.address}"]
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed: it makes the certificate")
    made += ["-out", str(certificate), "-keyout", str(key)]
    subprocess.run(made, check=True, capture_output=True)
    command = (
        'date +%s.%N; sleep 1; test "$PASSWORD" = open-sesame; '
        'printf \'{{"y": %s}}\' {x} > "$ORCHESTRATE_METRICS"; date +%s.%N'
    )
    experiment = Experiment(
        tmp_path,
        aws,
        hosts.address,
        environ={"PASSWORD": "open-sesame"},
        command=command,
        secrets=["PASSWORD"],
        budget=5,
        resources={},
        limits={"cost_usd": 0.5},
        ec2={
            "types": ["m5.large"],
            "prices": {"m5.large": 36},  # a cent a second, and the first minute is billed whole
            "tls": {"certificate": str(certificate), "key": str(key)},
        },
    )
    with ended_at_last(experiment):
        experiment.lead()
        experiment.finish(3)
    status = experiment.ask("status", "1")
    assert status["state"] == "stopped"
    assert re.match(r"limits\.cost_usd: \d+\.\d\d of 0\.5 USD are spent", status["reason"])
    assert status["cost_usd"] > 0.599
    assert status["trials"][0]["state"] == "completed"
    assert [trial for trial in status["trials"][1:] if trial["attempt"]] == []
    attempt = Home(experiment.home).experiment(1).attempt(1, 1)
    began, ended = map(float, attempt.log.read_text().split())
    told, placed = status["trials"][0]["cost_usd"], attempt.place.stat().st_mtime
    assert told * 100 >= ended - began
    assert told * 100 <= attempt.exit.stat().st_mtime - placed + 1
    assert not aws.instances("running", "pending")
