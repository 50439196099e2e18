"""E2 to E4: trials on EC2 under faults, in moto, on hosts that are network namespaces."""

import random
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import yaml
from measuring import ORCHESTRATE, Row, environment, scratch
from namespace_hosts import Hosts, namespace_hosts, spot_notice
from pretend_aws import AMI, Aws, pretend_aws, without_capacity

from sigopt_orchestrate.store import Store

_HOSTS_WAIT_S = 60


@dataclass
class Run:
    """One experiment on EC2, its present leader, and the hosts."""

    aws: Aws
    hosts: Hosts
    folder: Path
    file: Path
    leader: subprocess.Popen[bytes] | None = None

    @property
    def home(self) -> Path:
        """Where its store is."""
        return self.folder / "home"

    def lead(self, *words: str) -> None:
        """Starts a leader."""
        given = [*(words or ("run", str(self.file))), "--home", str(self.home)]
        env = {**environment(), **self.aws.environment}
        with (self.folder / "leader.log").open("ab") as log:
            self.leader = subprocess.Popen([*ORCHESTRATE, *given], env=env, stdout=log, stderr=log)

    def kill(self) -> None:
        """Kills the leader with SIGKILL."""
        if self.leader is not None and self.leader.poll() is None:
            self.leader.send_signal(signal.SIGKILL)
            self.leader.wait()

    def observed(self) -> int:
        """How many observations there are."""
        if not (self.home / "orchestrate.db").exists():
            return 0
        with suppress(Exception):
            store = Store.existing(self.home)
            try:
                return sum(trial.state.observed for trial in store.trials(1))
            finally:
                store.close()
        return 0


@contextmanager
def experiment(*, lease: str, types: list[str] | None = None, **keys: object) -> Iterator[Run]:
    """Makes one; keywords are keys of its file."""
    with scratch() as folder, pretend_aws() as aws, namespace_hosts(aws, folder / "hosts") as hosts:
        with socket.create_server((hosts.address, 0)) as free:
            port = free.getsockname()[1]
        url = f"http://{hosts.address}:{port}"
        ec2 = {"address": url, "ami": AMI, "lease": lease, "idle": "1h", "source": False}
        given = {
            "name": "faults",
            "command": """sleep 3; printf '{{"y": %s}}' {x} > "$ORCHESTRATE_METRICS" """,
            "parameters": [{"name": "x", "type": "double", "bounds": {"min": 0, "max": 1}}],
            "metrics": [{"name": "y"}],
            "optimizer": {"algorithm": "random"},
            "timeouts": {"grace": 1},
            "retries": {"infra": 1000},
            "resources": {"spot": "prefer"},
            "backend": {"ec2": {**ec2, **({"types": types} if types else {})}},
            **keys,
        }
        file = folder / "experiment.yml"
        file.write_text(yaml.safe_dump(given))
        run = Run(aws, hosts, folder, file)
        try:
            yield run
        finally:
            run.kill()
            # moto's memory outlives its server.
            for instance in aws.instances("running", "pending"):
                instance.terminate()


def wait_for(condition: Callable[[], object], limit_s: float) -> bool:
    """Returns whether `condition` came true in time."""
    deadline = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def e2(trials: int = 100, agents: int = 8, notices: int = 50) -> list[Row]:
    """Works trials under spot notices, kills of agents and restarts of the server."""
    chance = random.Random(0)  # noqa: S311
    faults: Counter[str] = Counter()
    with experiment(lease="60s", budget=trials, parallel=agents) as run:
        run.lead()
        every = trials / (notices * 2)
        started = time.monotonic()
        while run.leader is not None and run.leader.poll() is None:
            time.sleep(0.1)
            if run.observed() < 1 + every * faults.total():
                continue
            strike(run, chance, faults, notices)
        took_s = time.monotonic() - started
        store = Store.existing(run.home)
        counted = store.trials(1)
        query = store.connection.execute("SELECT trial_id FROM observations")
        observed = [row[0] for row in query]
        wrong = sum(trial.values != {"y": trial.assignments["x"]} for trial in counted)
        store.close()
        wait_for(lambda: not run.hosts.running, _HOSTS_WAIT_S)
        left = len(run.aws.instances("running", "pending"))
    told = ", ".join(f"{count} {kind}s" for kind, count in faults.most_common())
    what = f"{trials} trials of 3 s on {agents} agents in namespaces under {told} ({took_s:.0f} s)"
    found = {
        "lost": trials - len(set(observed)),
        "twice": len(observed) - len(set(observed)),
        "with a wrong value": wrong,
        "beyond the budget": len(counted) - trials,
        "instances left": left,
    }
    said = ", ".join(f"{count} {name}" for name, count in found.items())
    return [Row("E2", what, said, "all 0 under >= 50 spot notices")]


def strike(run: Run, chance: random.Random, faults: Counter[str], notices: int) -> None:
    """Does one kind of harm, mostly a spot notice."""
    fresh = [host for host in run.hosts.running if host.notice is None]
    (kind,) = chance.choices(["spot notice", "agent kill", "server restart"], weights=[8, 3, 1])
    if not fresh or run.leader is None or run.leader.poll() is not None:
        return
    if kind == "server restart":
        run.kill()
        run.lead("resume", "1")
        faults[kind] += 1
    elif kind == "spot notice" and faults[kind] < notices:
        spot_notice(chance.choice(fresh))
        faults[kind] += 1
    elif kind == "agent kill" and run.hosts.kill_agent(chance.choice(fresh)):
        faults[kind] += 1


def e3() -> list[Row]:
    """Kills the server, and waits for the instances to end themselves."""
    lease_s = 20
    with experiment(lease=f"{lease_s}s", budget=4, parallel=4, command="sleep 600") as run:
        run.lead()
        there = wait_for(lambda: len(working(run)) == 4, 120)
        run.hosts.signal_agent(run.hosts.running[0], signal.SIGSTOP)
        run.kill()
        at = time.monotonic()
        gone = wait_for(lambda: not run.hosts.running, 3 * lease_s)
        ends = [(host.ended_at or at) - at for host in run.hosts.hosts.values()]
        own = sum(host.by_itself for host in run.hosts.hosts.values())
        left = len(run.aws.instances("running", "pending"))
    what = (
        f"kill -9 of the server of 4 working instances, lease {lease_s} s, one agent stopped: "
        "the last one has ended itself after"
    )
    said = f"{max(ends):.1f} s; {own} of 4 by themselves, {left} left"
    if not (there and gone):
        said += "; not all came or went in time"
    return [Row("E3", what, said, f"<= the lease ({lease_s} s)")]


def working(run: Run) -> list[str]:
    """The instances whose trial's place is noted."""
    return [str(path) for path in run.home.glob("experiments/1/trials/*/1/place.json")]


def e4() -> list[Row]:
    """Times how long it takes until other pools give what the first ones lack."""
    cases = {
        "the preferred type has no capacity in any zone": lambda t, _s, _m: t == "m7i.large",
        "spot has none at all: on demand": lambda _t, _s, m: m == "spot",
    }
    rows = []
    for what, lacks in cases.items():
        with experiment(lease="60s", budget=1, types=["m7i.large", "m5.large"]) as run:
            run.aws.rule = without_capacity(lacks)
            asked: list[float] = []
            rule = run.aws.rule

            def noted(call: object, rule: object = rule, asked: list[float] = asked) -> object:
                if getattr(call, "action", "") == "CreateFleet":
                    asked.append(time.monotonic())
                return rule(call)  # type: ignore[operator]

            run.aws.rule = noted  # type: ignore[assignment]
            run.lead()
            came = wait_for(lambda run=run: run.aws.instances("running"), 60)
            took = time.monotonic() - asked[0]
            got = run.aws.instances("running")[0] if came else None
            kind = (
                "nothing" if got is None else f"{got.instance_type}, {got.lifecycle or 'on demand'}"
            )
        rows.append(Row("E4", what, f"{took:.1f} s: {kind}", "<= 10 s"))
    return rows


if __name__ == "__main__":
    for name in sys.argv[1:] or ["e2", "e3", "e4"]:
        for row in globals()[name]():
            print(row)
