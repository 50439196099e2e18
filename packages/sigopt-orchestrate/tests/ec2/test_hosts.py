"""Instances that really run: the user data that moto has stored, in namespaces for hosts."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from namespace_hosts import Hosts, spot_notice
from pretend_aws import AMI, Aws

from sigopt_orchestrate.store import Home, Store, TrialRecord

_PATIENCE_S = 600
_LEASE_S = 15


class Experiment:
    """An experiment on EC2 with a leader that can be killed."""

    def __init__(self, folder: Path, aws: Aws, address: str, **keys: Any) -> None:
        with socket.create_server((address, 0)) as free:
            port = free.getsockname()[1]
        self._env = {**os.environ, **aws.environment, "ORCHESTRATE_HOME": str(folder / "home")}
        self.home = folder / "home"
        (folder / "toy").mkdir()
        self._file = folder / "toy" / "experiment.yml"
        ec2 = {
            "address": f"http://{address}:{port}",
            "ami": AMI,
            "lease": _LEASE_S,
            "idle": "1h",
            **keys.pop("ec2", {}),
        }
        given = {
            "name": "toy",
            "parameters": [{"name": "x", "type": "double", "bounds": {"min": 0, "max": 1}}],
            "metrics": [{"name": "y"}],
            "optimizer": {"algorithm": "random"},
            "timeouts": {"grace": 1},
            "resources": {"spot": "prefer"},
            **keys,
            "backend": {"ec2": ec2},
        }
        self._file.write_text(yaml.safe_dump(given))
        (folder / "toy" / "factor").write_text("2\n")
        self.leader: subprocess.Popen[bytes] | None = None

    def lead(self, *words: str) -> None:
        """Starts a leader: the first runs the file, later ones resume."""
        command = [sys.executable, "-m", "sigopt_orchestrate", *(words or ("run", str(self._file)))]
        with (self.home.parent / "leader.log").open("ab") as log:
            self.leader = subprocess.Popen(command, env=self._env, stdout=log, stderr=log)

    def kill(self) -> None:
        assert self.leader is not None
        self.leader.send_signal(signal.SIGKILL)
        self.leader.wait()

    def finish(self) -> None:
        """Waits for the leader's end, however busy the machine is."""
        assert self.leader is not None
        status = self.leader.wait()
        assert status == 0, (self.home.parent / "leader.log").read_text()

    def over(self) -> bool:
        assert self.leader is not None
        return self.leader.poll() is not None

    def trials(self) -> list[TrialRecord]:
        if not (self.home / "orchestrate.db").exists():
            return []
        store = Store.existing(self.home)
        try:
            return store.trials(1)
        finally:
            store.close()

    def running(self) -> list[TrialRecord]:
        return [trial for trial in self.trials() if trial.state == "running"]

    def place(self, trial: TrialRecord) -> str:
        folder = Home(self.home).experiment(1).attempt(trial.number, trial.attempt)
        return str(json.loads(folder.place.read_bytes())["instances"][0]["instance"])


def wait_for(condition: Callable[[], Any]) -> Any:
    """Returns what `condition` says once that is true."""
    deadline = time.monotonic() + _PATIENCE_S
    while not (found := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.1)
    return found


def let_go(hosts: Hosts) -> None:
    """Tells the trials of all hosts that they may end."""
    for host in hosts.running:
        hosts.run(host, "touch /var/lib/orchestrate/work/go")


@contextmanager
def ended_at_last(experiment: Experiment) -> Iterator[Experiment]:
    try:
        yield experiment
    finally:
        if experiment.leader is not None and experiment.leader.poll() is None:
            experiment.kill()


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
        assert experiment.leader.wait(_PATIENCE_S) == 2
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
