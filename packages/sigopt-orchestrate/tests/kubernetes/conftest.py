"""A real Kubernetes 1.20 for these tests, and attempts that run in it."""

import os
import select
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).parent))
from cluster import IMAGE, Kube, add_kinds, start

from sigopt_orchestrate.artifacts.keeper import open_keeper
from sigopt_orchestrate.executors import Attempt, Presence, Work
from sigopt_orchestrate.executors.kubernetes.cluster import Cluster, open_cluster
from sigopt_orchestrate.executors.kubernetes.executor import KubernetesExecutor
from sigopt_orchestrate.spec import Experiment, Timeouts
from sigopt_orchestrate.store import ExperimentFolder, ExperimentRecord, Store

VARIABLE = "ORCHESTRATE_KUBE"
KINDS = ("jobs", "jobsets", "mpijobs", "pods", "secrets", "configmaps")
PATIENCE_S = 180.0  # a pod starts in two seconds, and in a minute where ten others want the cores


@pytest.fixture(scope="session")
def kube(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kube]:
    """The cluster, with one node that runs real pods."""
    if not os.environ.get(VARIABLE):
        pytest.skip(
            f"${VARIABLE} is not set: it names the program that starts a Kubernetes for tests"
        )
    if os.geteuid() != 0:
        pytest.skip("only root can start a node")
    program = Path(os.environ[VARIABLE]).absolute()
    running = os.environ.get(f"{VARIABLE}_DIR")  # for whoever writes tests: one that is up already
    if running:
        add_kinds(Kube(program, Path(running)))
        yield Kube(program, Path(running))
        return
    folder = tmp_path_factory.mktemp("kube") / "cluster"
    try:
        cluster = start(program, folder, ("mpich", "mpi4py"))
        add_kinds(cluster)
        yield cluster
    finally:
        Kube(program, folder).end()


class Bench:
    """An experiment in a namespace of its own, whose attempts a test submits and looks for."""

    def __init__(self, kube: Kube, experiment: ExperimentRecord, folder: ExperimentFolder) -> None:
        self.kube, self.experiment, self.folder = kube, experiment, folder
        folder.root.mkdir(parents=True, exist_ok=True)
        os.mkfifo(folder.wake)
        self._wake = os.open(folder.wake, os.O_RDWR | os.O_NONBLOCK)
        assert experiment.spec.backend is not None
        self.cluster: Cluster = open_cluster(experiment.spec.backend.kubernetes, kube.kubeconfig)
        self.executor = self.another_leader()
        self.attempts: dict[str, Attempt] = {}

    def another_leader(self) -> KubernetesExecutor:
        keeper = open_keeper(self.experiment) if self.experiment.spec.artifacts else None
        return KubernetesExecutor(self.experiment, self.folder, self.cluster, keeper)

    def attempt(self, after: Attempt | None = None) -> Attempt:
        """Makes another trial's first attempt, or a trial's next one."""
        token = str(uuid.uuid4())
        folder = self.folder.attempt(len(self.attempts) + 1, 1)
        if after is not None:
            folder = self.folder.attempt(after.folder.trial, after.folder.number + 1)
        self.attempts[token] = Attempt(token, folder)
        return self.attempts[token]

    def submit(
        self,
        *argv: str,
        memory: int | None = None,
        after: Attempt | None = None,
        **timeouts: object,
    ) -> Attempt:
        attempt = self.attempt(after)
        env = {
            "ORCHESTRATE_EXPERIMENT": "1",
            "ORCHESTRATE_TRIAL": str(attempt.folder.trial),
            "ORCHESTRATE_PARAMETERS": '{"x": 0.25}',
        }
        limits = Timeouts.model_validate({"grace": 2, **timeouts})
        self.executor.submit(attempt, Work(list(argv), env, Path("/"), limits, memory))
        return attempt

    def until(
        self,
        attempt: Attempt,
        kind: type[Presence] | tuple[type[Presence], ...],
        seconds: float = PATIENCE_S,
        executor: KubernetesExecutor | None = None,
    ) -> Presence:
        """Looks each time the watch says that something has happened, until `kind` is found."""
        return self.wait(
            lambda: (
                found
                if isinstance(found := (executor or self.executor).find(attempt), kind)
                else None
            ),
            f"{kind} of {attempt.folder.root}",
            seconds,
        )

    def wait(self, look: Callable[[], Any], what: str, seconds: float = PATIENCE_S) -> Any:
        """Returns what `look` finds."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            found = look()
            if found:
                return found
            if select.select([self._wake], [], [], 0.1)[0]:
                os.read(self._wake, 1 << 16)
        raise AssertionError(f"no {what} within {seconds} s: {look()}")

    def pods(self) -> list[str]:
        """Returns the pods that there are."""
        return [pod["metadata"]["name"] for pod in self._pods()]

    def staying(self) -> list[str]:
        """Returns the pods that nobody has asked to go."""
        told = [pod["metadata"] for pod in self._pods()]
        return [metadata["name"] for metadata in told if "deletionTimestamp" not in metadata]

    def standing(self) -> list[str]:
        """Returns all objects that nobody has asked to go; a pod's last seconds are its node's."""
        found = self.kube.listed(self.cluster.namespace, *KINDS)
        told = [one["metadata"] for one in found if "deletionTimestamp" not in one["metadata"]]
        return [metadata["name"] for metadata in told if metadata["name"].startswith("orc-")]

    def objects(self) -> list[str]:
        """Returns all that is left of the experiment in the cluster."""
        return self.kube.ours(self.cluster.namespace)

    def _pods(self) -> list[dict[str, Any]]:
        return self.kube.listed(self.cluster.namespace, "pods")

    def close(self) -> None:
        self.executor.retain([])
        self.executor.close()
        os.close(self._wake)


@pytest.fixture
def namespace(kube: Kube) -> str:
    """A fresh namespace, which goes with the cluster."""
    name = f"t{uuid.uuid4().hex[:8]}"
    kube.make_namespace(name)
    return name


@pytest.fixture
def make_bench(
    kube: Kube, namespace: str, store: Store, make_spec: Callable[..., Experiment], tmp_path: Path
) -> Iterator[Callable[..., Bench]]:
    """Makes a bench; keywords replace keys of its experiment."""
    made = []

    def make(backend: dict[str, object] | None = None, **keys: object) -> Bench:
        given = {"namespace": namespace, "pull_policy": "IfNotPresent", **(backend or {})}
        spec = make_spec(**{"image": IMAGE, "backend": {"kubernetes": given}, **keys})
        record = store.create_experiment(spec, tmp_path)
        made.append(Bench(kube, record, store.home.experiment(record.id)))
        return made[-1]

    yield make
    for bench in made:
        bench.close()


@pytest.fixture
def bench(make_bench: Callable[..., Bench]) -> Bench:
    """A bench whose attempts are one pod each."""
    return make_bench()
