"""Gangs as JobSets and MPIJobs: the same protocol, whoever makes the pods.

Neither controller runs on this server. A double makes what theirs would (`newer_controllers`), of
the real objects and as real pods; the definitions of the kinds are ours (`custom_kinds`).
"""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cluster import IMAGE, Kube
from newer_controllers import child_job, indexed_pods, mpi_objects
from test_gangs import MPI

from sigopt_orchestrate.executors import Ended, Exit, Lost, Running, Starting
from sigopt_orchestrate.executors.kubernetes import cluster as cluster_room
from sigopt_orchestrate.executors.kubernetes.cluster import Cluster, open_cluster
from sigopt_orchestrate.executors.kubernetes.discovery import Forms
from sigopt_orchestrate.executors.kubernetes.forms import FORMS, JOB, JOBSET, MPIJOB, Form
from sigopt_orchestrate.executors.kubernetes.jobs import read_job
from sigopt_orchestrate.executors.kubernetes.pod.places import rank_of
from sigopt_orchestrate.executors.kubernetes.pods import read_pod
from sigopt_orchestrate.executors.kubernetes.preflight import preflight
from sigopt_orchestrate.executors.kubernetes.rights import grantable, role_rules
from sigopt_orchestrate.spec import Experiment

FOREVER = ("sh", "-c", "echo up; exec sleep 600")


def said(*conditions: dict[str, Any], **keys: Any) -> dict[str, Any]:
    """Returns what a server tells of a JobSet or an MPIJob."""
    metadata = {"name": "j", "labels": {"orchestrate/attempt": "token"}}
    return {"metadata": metadata, "spec": {}, "status": {"conditions": list(conditions), **keys}}


@pytest.mark.parametrize("word", ["Completed", "Failed", "Succeeded"])
def test_the_end_of_a_gangs_object_is_read_in_each_kinds_own_words(word: str) -> None:
    condition = {"type": word, "status": "True", "message": "because"}
    assert read_job(said(condition), "JobSet").ended == "because"
    assert read_job(said(condition | {"status": "False"}), "JobSet").ended is None


def test_whether_a_gangs_object_has_had_pods_or_may_not_have_them_yet_is_read() -> None:
    counts = {"name": "gang", "ready": 0, "active": 1, "succeeded": 0, "failed": 0, "suspended": 0}
    assert read_job(said(replicatedJobsStatus=[counts]), "JobSet").started
    assert not read_job(said(replicatedJobsStatus=[counts | {"active": 0}]), "JobSet").started
    assert read_job(said(replicaStatuses={"Worker": {"active": 1}}), "MPIJob").started
    assert not read_job(said(replicaStatuses={"Worker": {}}), "MPIJob").started
    assert read_job(said() | {"spec": {"suspend": True}}, "JobSet").suspended
    assert read_job(said() | {"spec": {"runPolicy": {"suspend": True}}}, "MPIJob").suspended


@pytest.mark.parametrize("first", [0, 1])  # operators differ in where they begin to count
def test_the_launcher_is_rank_0_and_workers_follow_it(first: int) -> None:
    ranks = []
    for name, role in (("g-launcher-9xk4d", "launcher"), ("g-worker-0", "worker")):
        labels = {
            "training.kubeflow.org/job-role": role,
            "training.kubeflow.org/replica-index": str(first),
        }
        ranks.append(read_pod({"metadata": {"name": name, "labels": labels}}).rank)
    assert ranks == [0, 1]
    assert [rank_of(told) for told in ("0", "12", "orc-1-abcde-1-1-worker-3")] == [0, 12, 4]


@pytest.fixture
def new_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """The old server counts as one with Jobs as we want them."""
    monkeypatch.setattr(cluster_room, "JOBS_FROM", (1, 20))


def there_is(bench: Any, form: Form, attempt: Any) -> dict[str, Any]:
    """Returns the object that stands for an attempt, as soon as it is there."""

    def look() -> list[dict[str, Any]]:
        found = bench.kube.listed(bench.cluster.namespace, form.plural)
        return [o for o in found if o["metadata"]["labels"]["orchestrate/attempt"] == attempt.token]

    (found,) = bench.wait(look, form.kind)
    return found


def lose(bench: Any, attempt: Any, pod: str, count: int, *instead: dict[str, Any]) -> None:
    """Deletes a pod of a gang that runs, and sees that the gang is lost and goes, as a whole.

    Args:
        bench: Where it runs.
        attempt: The gang's.
        pod: Which to delete.
        count: How many processes say that they are up before.
        instead: What a controller makes when the pod is gone.
    """
    bench.until(attempt, Running)
    log = attempt.folder.log
    bench.wait(lambda: log.exists() and log.read_text().count("up") == count, "up")
    gone = ("delete", "pod", pod, "-n", bench.cluster.namespace)
    bench.kube.kubectl(*gone, f"--wait={'true' if instead else 'false'}", "--grace-period=1")
    bench.kube.create(bench.cluster.namespace, list(instead))
    bench.until(attempt, Lost)
    bench.executor.retain([])
    bench.executor.close()
    bench.wait(lambda: not bench.standing(), "empty namespace")


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.usefixtures("new_server")
def test_a_gang_of_a_jobset_runs_whole_and_is_lost_whole(make_bench: Callable[..., Any]) -> None:
    bench = make_bench(backend={"gangs": "jobset"}, nodes={"count": 2})

    def play(attempt: Any) -> list[dict[str, Any]]:
        jobset = there_is(bench, JOBSET, attempt)
        (job,) = bench.kube.create(bench.cluster.namespace, [child_job(jobset)])
        return bench.kube.create(bench.cluster.namespace, indexed_pods(job))

    first = bench.submit("sh", "-c", 'echo "$RANK of $WORLD_SIZE"')
    bench.wait(lambda: bench.executor._tasks[first.token].created_at, "JobSet and Secret")
    bench.executor._requests.close()  # as if it had been killed
    bench.executor._seen.close()
    bench.executor = bench.another_leader()
    bench.wait(lambda: bench.executor._seen.synced, "first listing")
    assert bench.executor.find(first) == Starting()
    play(first)
    assert bench.until(first, Ended) == Ended(Exit(0))
    calls = [e for e in bench.kube.audited() if bench.cluster.namespace in e["requestURI"]]
    made = [
        e for e in calls if e["verb"] not in {"list", "watch"} and "/log?" not in e["requestURI"]
    ]
    transitions = 5  # leased, submitted, running, reporting, completed
    assert 0 < len(made) <= 2 * transitions
    assert sorted(first.folder.log.read_text().splitlines()) == ["[0] 0 of 2", "[1] 1 of 2"]
    second = bench.submit(*FOREVER)
    pods = play(second)
    lose(bench, second, pods[1]["metadata"]["name"], 2)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.usefixtures("new_server")
def test_a_gang_of_an_mpijob_needs_no_sshd_and_does_not_go_on_with_a_new_worker(
    make_bench: Callable[..., Any],
) -> None:
    bench = make_bench(backend={"gangs": "mpijob"}, nodes={"count": 2, "mpi": {"slots": 1}})
    namespace = bench.cluster.namespace
    first = bench.submit("mpiexec", "-n", "2", "python3", "-c", MPI)
    bench.kube.create(namespace, mpi_objects(there_is(bench, MPIJOB, first)))
    assert bench.until(first, Ended) == Ended(Exit(0)), first.folder.log.read_text()
    assert json.loads(first.folder.metrics.read_text()) == {"y": 2, "hosts": 2}
    second = bench.submit(*FOREVER)
    objects = mpi_objects(there_is(bench, MPIJOB, second))
    bench.kube.create(namespace, objects)
    worker = objects[-1]  # its operator replaces one that is gone by another of the same name
    lose(bench, second, worker["metadata"]["name"], 1, worker)
    assert second.folder.log.read_text().count("up") == 1


@pytest.fixture
def gang(make_spec: Callable[..., Experiment], namespace: str) -> Callable[..., Experiment]:
    """Makes an experiment of gangs as JobSets; keywords are its backend's."""

    def make_gang(**backend: Any) -> Experiment:
        given = {"kubernetes": {"namespace": namespace, "gangs": "jobset", **backend}}
        return make_spec(image=IMAGE, backend=given, nodes={"count": 2})

    return make_gang


def told(cluster: Cluster, spec: Experiment | None) -> list[tuple[str, str]]:
    """Returns what `doctor` or `cluster test` say of gangs."""
    return [(one.verdict, one.said) for one in preflight(cluster, spec) if one.check == "gangs"]


@pytest.mark.usefixtures("new_server")
@pytest.mark.parametrize(
    ("forms", "verdict"),
    [
        ((JOB,), ("note", "are Jobs in local, and not JobSets: you may not: create jobsets, ")),
        ((JOB, JOBSET), ("ok", "are JobSets")),
    ],
)
def test_gangs_are_jobsets_exactly_if_the_role_names_them(
    kube: Kube,
    gang: Callable[..., Experiment],
    tmp_path: Path,
    forms: tuple[Form, ...],
    verdict: tuple[str, str],
) -> None:
    spec = gang()
    assert spec.backend is not None
    backend, narrow = spec.backend.kubernetes, tmp_path / "narrow"
    narrow.write_text(kube.account(str(backend.namespace), role_rules(forms)))
    cluster = open_cluster(backend, narrow)
    assert Forms(cluster, spec).used == forms[-1]
    ((given, said),) = told(cluster, spec)
    assert (given, said[: len(verdict[1])]) == verdict
    assert grantable(cluster) == forms
    ((_, offered),) = told(cluster, None)
    sets = "JobSets" if JOBSET in forms else "no JobSets: you may not: create jobsets"
    assert offered.startswith(f"can be Jobs, {sets}")
    assert "no MPIJobs: you may not: create mpijobs" in offered


@pytest.mark.usefixtures("new_server")
def test_gangs_are_jobs_where_there_are_no_jobsets(
    kube: Kube, gang: Callable[..., Experiment], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(FORMS, "jobset", replace(JOBSET, version="v9"))
    spec, rack = gang(), gang(exclusive_topology="example.com/rack")
    assert spec.backend is not None
    cluster = open_cluster(spec.backend.kubernetes, kube.kubeconfig)
    assert Forms(cluster, spec).used == JOB
    why = "it has no jobsets of jobset.x-k8s.io/v9"
    assert told(cluster, spec) == [("note", f"are Jobs in local, and not JobSets: {why}")]
    ((verdict, said),) = told(cluster, rack)
    assert verdict == "bad"
    assert said.endswith(f"needs JobSets, which you cannot have in local: {why}")


def test_gangs_are_pods_on_an_old_server(kube: Kube, gang: Callable[..., Experiment]) -> None:
    spec = gang()
    assert spec.backend is not None
    cluster = open_cluster(spec.backend.kubernetes, kube.kubeconfig)
    assert Forms(cluster, spec).used is None
    ((verdict, said),) = told(cluster, spec)
    assert verdict == "note"
    assert said == "are pods in local, and not JobSets: its Kubernetes is older than 1.29"
