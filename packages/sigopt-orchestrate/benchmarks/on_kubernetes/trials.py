"""K1 to K3: trials on a real control plane, undisturbed and under every fault that we can make."""

import random
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from measuring import Row, scratch, write_experiment

from on_kubernetes.api import Api
from on_kubernetes.audit import ours, requests, retry_delays
from on_kubernetes.clusters import NAMESPACE, Doubles, Kube, cluster, doubles, orchestrate
from sigopt_orchestrate.store import Store

TRIALS, PARALLEL, SECONDS = 200, 16, 3.0
NODES, SILENT_S, OUTAGE_S, LEFTOVERS_S = 6, 40.0, 60.0, 30
POD_FAULTS = {"pod deleted": 50, "pod evicted": 20, "pod deleted without grace": 10}
OTHER_FAULTS = {
    "leader killed": 10,
    "node silent": 4,
    "controller-manager killed": 4,
    "scheduler killed": 4,
    "API server killed": 3,
    "etcd killed": 3,
}
PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"


class Harness:
    """An experiment, its present leader, and ways to hurt them and their cluster."""

    def __init__(self, kube: Kube, nodes: Doubles, folder: Path, trials: int) -> None:
        self.kube, self.nodes, self.trials = kube, nodes, trials
        self.home = folder / "home"
        self.file = write_experiment(
            folder,
            command="true",
            image="localhost/double:1",
            backend={"kubernetes": {"namespace": NAMESPACE}},
            budget=trials,
            parallel=PARALLEL,
            retries={"infra": 1000},
        )
        self.api = Api(kube.kubeconfig, "faults")
        self.chance = random.Random(0)  # noqa: S311
        self.faults: Counter[str] = Counter()
        self.silent: set[str] = set()
        self.later: deque[tuple[float, Callable[[], None]]] = deque()
        self.leader = orchestrate(kube, self.home, "run", str(self.file))

    @property
    def stored(self) -> bool:
        """Whether there is an experiment yet."""
        return (self.home / "orchestrate.db").exists()

    def observed(self) -> int:
        """How many trials have their observation."""
        if not self.stored:
            return 0
        store = Store.existing(self.home)
        try:
            return sum(trial.state.observed for trial in store.trials(1))
        finally:
            store.close()

    def running(self) -> list[str]:
        """The pods that run, on a node that speaks, and that nobody has asked to end."""
        status, page = self.api.call("GET", PODS)
        pods = page["items"] if status == 200 else []
        return [
            pod["metadata"]["name"]
            for pod in pods
            if pod["status"]["phase"] == "Running"
            and "deletionTimestamp" not in pod["metadata"]
            and pod["spec"]["nodeName"] not in self.silent
        ]

    def hurt(self) -> None:
        """Does one thing that must not matter."""
        kinds = POD_FAULTS | OTHER_FAULTS
        (kind,) = self.chance.choices(list(kinds), weights=list(kinds.values()))
        if kind not in POD_FAULTS:
            self.hurt_other(kind)
        elif pods := self.running():
            self.hurt_pod(kind, self.chance.choice(pods))

    def hurt_pod(self, kind: str, name: str) -> None:
        """Takes a pod away."""
        if kind == "pod evicted":
            body = {"apiVersion": "policy/v1beta1", "kind": "Eviction"}
            body["metadata"] = {"name": name, "namespace": NAMESPACE}
            status, _ = self.api.call("POST", f"{PODS}/{name}/eviction", body)
        else:
            grace = {"gracePeriodSeconds": 0} if kind.endswith("without grace") else {}
            status, _ = self.api.call("DELETE", f"{PODS}/{name}", grace)
        self.faults[kind] += 200 <= status < 300

    def hurt_other(self, kind: str) -> None:
        """Kills what is no pod."""
        if kind == "leader killed":
            self.leader.kill()
            self.leader.wait()
        elif kind == "node silent":
            node = f"double-{self.chance.randrange(NODES)}"
            self.silent.add(node)
            self.nodes.say("silence", node)
            self._later(SILENT_S, lambda: self._revive(node))
        else:
            part = {"API server": "apiserver"}.get(kind[:-7], kind[:-7])
            self.kube.do("restart", part)  # which kills it first
        self.faults[kind] += 1

    def cut_off(self) -> None:
        """Takes the API server away for a minute."""
        self.kube.do("kill", "apiserver")
        self._later(OUTAGE_S, lambda: self.kube.do("restart", "apiserver"))
        self.faults[f"API server away for {OUTAGE_S:.0f} s"] += 1

    def _revive(self, node: str) -> None:
        self.nodes.say("revive", node)
        self.silent.discard(node)

    def _later(self, seconds: float, work: Callable[[], None]) -> None:
        self.later.append((time.monotonic() + seconds, work))

    def tend(self) -> bool:
        """Does what has fallen due, follows a leader that died; returns whether all is done."""
        for _ in range(len(self.later)):
            due, work = self.later.popleft()
            if time.monotonic() < due:
                self.later.append((due, work))
            else:
                work()
        status = self.leader.poll()
        if status == 0:
            return True
        if status not in {None, -9, 2}:  # 2: no cluster was to be had at the start
            raise RuntimeError((self.home.parent / "log").read_text()[-2000:])
        if status is not None:
            arguments = ("resume", "1") if self.stored else ("run", str(self.file))
            self.leader = orchestrate(self.kube, self.home, *arguments)
        return False

    def left(self) -> int:
        """How many objects there are, half a minute after the last fault is over."""
        while self.later:
            self.tend()
            time.sleep(0.2)
        deadline = time.monotonic() + LEFTOVERS_S
        while True:
            kinds = "pods,secrets,configmaps,jobs"
            said = self.kube.kubectl("get", kinds, "-n", NAMESPACE, "-o", "name")
            names = [line for line in said.split() if "/orc-" in line]
            if not names or time.monotonic() > deadline:
                print("left:", *names, file=sys.stderr)
                return len(names)
            time.sleep(1)

    def count(self) -> dict[str, int]:
        """Counts what should not be."""
        left, store = self.left(), Store.existing(self.home)
        trials, query = store.trials(1), store.connection.execute
        observed = [row[0] for row in query("SELECT trial_id FROM observations")]
        over = "SELECT trial_id FROM events WHERE \"after\" IN ('completed', 'failed')"
        ends = Counter(row[0] for row in query(over))
        found = {
            "lost": self.trials - len(set(observed)),
            "observed twice": len(observed) - len(set(observed)),
            "ended twice": sum(count != 1 for count in ends.values()),
            "failed": sum(str(trial.state) != "completed" for trial in trials),
            "with a wrong value": sum(t.values != {"y": t.assignments["x"]} for t in trials),
            "beyond the budget": len(trials) - self.trials,
            f"objects left after {LEFTOVERS_S} s": left,
        }
        store.close()
        return found

    def transitions(self) -> int:
        """How many steps of trials have been stored."""
        store = Store.existing(self.home)
        (count,) = store.connection.execute("SELECT count(*) FROM events").fetchone()
        store.close()
        return int(count)


@contextmanager
def control_plane(folder: Path, seconds: float) -> Iterator[tuple[Kube, Doubles]]:
    """Gives a cluster without a real node, and doubles whose pods run for so long."""
    with cluster(folder, node=False) as kube, doubles(kube, NODES, seconds) as nodes:
        yield kube, nodes


def k1(trials: int = TRIALS) -> list[Row]:
    """Runs them undisturbed, and counts requests at the server."""
    with scratch() as folder, control_plane(folder, 1.0) as (kube, nodes):
        started = time.monotonic()
        harness = Harness(kube, nodes, folder, trials)
        while not harness.tend():
            time.sleep(0.2)
        took_s, found = time.monotonic() - started, harness.count()
        asked = [e for e in requests(kube.folder) if ours(e)]
        steps = harness.transitions()
    what = (
        f"{trials} trials of 1 s, {PARALLEL} at a time, on a real Kubernetes 1.20.2 whose "
        f"{NODES} nodes are doubles ({took_s:.0f} s)"
    )
    measured = ", ".join(f"{count} {name}" for name, count in found.items())
    calls = f"{len(asked)} calls in {steps} transitions: {len(asked) / steps:.2f} each"
    return [
        Row("K1", what, measured, "all 0"),
        Row("K1", "calls to the API server, as it counts them, `doctor`'s included", calls, "<= 2"),
    ]


def k2(trials: int = TRIALS, faults: int = 105) -> list[Row]:
    """Runs them while pods, nodes, the control plane and leaders are killed."""
    with scratch() as folder, control_plane(folder, SECONDS) as (kube, nodes):
        harness = Harness(kube, nodes, folder, trials)
        started, due, every = time.monotonic(), 4.0, trials / (faults * 1.25)
        while not harness.tend():
            time.sleep(0.1)
            observed = harness.observed()
            while observed >= due:
                due += every
                harness.hurt()
                if observed > trials / 3 and not any("away" in kind for kind in harness.faults):
                    harness.cut_off()
            if sys.stderr.isatty():
                print(f"\r{observed}, {harness.faults}", end="", file=sys.stderr)
        took_s, found = time.monotonic() - started, harness.count()
    kinds = ", ".join(f"{count} x {name}" for name, count in harness.faults.most_common())
    total = sum(harness.faults.values())
    what = (
        f"{trials} trials of {SECONDS:g} s like K1's under {total} faults ({kinds}; {took_s:.0f} s)"
    )
    measured = ", ".join(f"{count} {name}" for name, count in found.items())
    return [Row("K2", what, measured, "all 0 under >= 100 faults")]


def k3(trials: int = 48) -> list[Row]:
    """Disrupts pods one after the other, and reads from the server's log when their like came."""
    with scratch() as folder, control_plane(folder, SECONDS) as (kube, nodes):
        harness = Harness(kube, nodes, folder, trials)
        done: set[str] = set()
        while not harness.tend():
            time.sleep(0.3)
            if not harness.faults["node silent"] and harness.observed() >= 8:
                time.sleep(SECONDS)  # a node that has been asked to end a pod gets to do it
                harness.hurt_other("node silent")
            fresh = [p for p in harness.running() if p not in done and p.endswith("-1-0")]
            if not fresh:
                continue
            name = harness.chance.choice(fresh)
            done.add(name)
            harness.hurt_pod(("pod deleted", "pod evicted")[len(done) % 2], name)
        by_pod = retry_delays(kube.folder)
        print("slowest:", sorted(by_pod.items(), key=lambda one: -one[1])[:5], file=sys.stderr)
        delays = sorted(by_pod.values())
    kinds = ", ".join(f"{count} x {name}" for name, count in harness.faults.most_common())
    what = (
        f"a pod is wanted gone ({kinds}; a silent node's by the node controller): until its "
        "trial's next pod is created, by the API server's log"
    )
    middle = delays[len(delays) // 2]
    measured = f"{len(delays)} retries: median {middle:.1f} s, longest {delays[-1]:.1f} s"
    return [Row("K3", what, measured, "<= 10 s")]
