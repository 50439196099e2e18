"""An experiment whose trials run on hosts, with a leader that can be killed."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml
from namespace_hosts import Hosts
from pretend_aws import AMI, Aws

from sigopt_orchestrate.store import Home, Store, TrialRecord

PATIENCE_S = 600
_LEASE_S = 18


class Experiment:
    """An experiment on EC2 with a leader that can be killed."""

    def __init__(
        self,
        folder: Path,
        aws: Aws,
        address: str,
        *,
        files: Mapping[str, str] = MappingProxyType({}),
        environ: Mapping[str, str] = MappingProxyType({}),
        **keys: Any,
    ) -> None:
        with socket.create_server((address, 0)) as free:
            port = free.getsockname()[1]
        home = {"ORCHESTRATE_HOME": str(folder / "home")}
        self._env = {**os.environ, **aws.environment, **home, **environ}
        self.home = folder / "home"
        (folder / "toy").mkdir()
        self._file = folder / "toy" / "experiment.yml"
        given_ec2 = keys.pop("ec2", {})
        scheme = "https" if "tls" in given_ec2 else "http"
        ec2 = {
            "address": f"{scheme}://{address}:{port}",
            "ami": AMI,
            "lease": _LEASE_S,
            "idle": "1h",
            **given_ec2,
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
        for name, content in files.items():
            (folder / "toy" / name).write_text(content)
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

    def finish(self, status: int = 0) -> None:
        """Waits for the leader's end, however busy the machine is."""
        assert self.leader is not None
        assert self.leader.wait() == status, (self.home.parent / "leader.log").read_text()

    def ask(self, *words: str) -> Any:
        """Returns what a command says with --json."""
        command = [sys.executable, "-m", "sigopt_orchestrate", *words, "--json"]
        asked = subprocess.run(command, env=self._env, capture_output=True, check=True)
        return json.loads(asked.stdout)

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
    deadline = time.monotonic() + PATIENCE_S
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
