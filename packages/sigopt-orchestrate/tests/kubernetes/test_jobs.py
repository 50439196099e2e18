"""Attempts as Jobs: the decision on what a cluster says of them, and the real Job controller.

The real server here is 1.20, which knows Jobs but neither their indices nor their failure policy;
so what runs is the form for one node, by lowering the version from which Jobs are used. For gangs
a few lines stand for what the controller does with indices from 1.21 on; the pods are real.
"""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from newer_controllers import indexed_pods

from sigopt_orchestrate.executors import Absent, Ended, Exit, Lost, Running, Starting
from sigopt_orchestrate.executors.kubernetes import cluster as cluster_room
from sigopt_orchestrate.executors.kubernetes import tasks
from sigopt_orchestrate.executors.kubernetes.cluster import ApiError
from sigopt_orchestrate.executors.kubernetes.forms import Form
from sigopt_orchestrate.executors.kubernetes.jobs import Job, diagnose_job, read_job
from sigopt_orchestrate.executors.kubernetes.manifests import AttemptObjects

JOBS = st.builds(
    Job,
    name=st.just("orc-1-abcde-1-1"),
    attempt=st.just("token"),
    ended=st.none() | st.just("Job has reached the specified backoff limit"),
    suspended=st.booleans(),
    started=st.booleans(),
    deleting=st.booleans(),
)


def told(conditions: list[dict[str, Any]], **keys: Any) -> dict[str, Any]:
    """Returns a Job as a cluster tells of it."""
    return {
        "metadata": {"name": "j", "labels": {"orchestrate/attempt": "token"}},
        "spec": {"suspend": False},
        "status": {"conditions": conditions, **keys},
    }


@given(JOBS)
def test_a_job_that_may_still_start_pods_is_an_attempt_that_is_there(job: Job) -> None:
    found = diagnose_job([job], [])
    assert isinstance(found, Starting if job.ended is None else Lost)


@given(JOBS)
def test_a_deleted_job_is_lost_exactly_if_it_has_ever_had_a_pod(job: Job) -> None:
    assert isinstance(diagnose_job([], [job]), Lost if job.started else Absent)


def test_where_there_is_no_job_nothing_is_said() -> None:
    assert diagnose_job([], []) is None


def test_what_a_server_says_of_a_job_is_read() -> None:
    fresh = read_job(told([]))
    assert (fresh.attempt, fresh.ended, fresh.started) == ("token", None, False)
    assert read_job(told([], active=1)).started
    failed = {"type": "Failed", "status": "True", "message": "Pod orc-1 has failed"}
    assert read_job(told([failed], failed=1)).ended == "Pod orc-1 has failed"
    suspended = told([{"type": "Suspended", "status": "True"}])
    suspended["spec"]["suspend"] = True
    found = diagnose_job([read_job(suspended)], [])
    assert isinstance(found, Starting)
    assert "suspended" in (found.reason or "")


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch, make_bench: Callable[..., Any]) -> Any:
    """A bench whose attempts are Jobs on the old server, too."""
    monkeypatch.setattr(cluster_room, "JOBS_FROM", (1, 20))
    return make_bench()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_job_runs_is_collected_and_leaves_nothing(jobs: Any) -> None:
    good = jobs.submit("sh", "-c", """echo '{"y": 1}' >> $ORCHESTRATE_METRICS; echo said""")
    bad = jobs.submit("sh", "-c", "exit 7")
    assert jobs.until(good, Ended) == Ended(Exit(0))
    assert jobs.until(bad, Ended) == Ended(Exit(7))
    assert good.folder.metrics.read_text() == '{"y": 1}\n'
    assert len(jobs.kube.listed(jobs.cluster.namespace, "jobs")) == 2
    jobs.executor.retain([])
    jobs.executor.close()
    jobs.wait(lambda: not jobs.standing(), "empty namespace")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_job_whose_pods_are_still_to_come_is_there_for_the_next_leader(jobs: Any) -> None:
    jobs.kube.do("kill", "controller-manager")  # so that there is a Job and no pod of it
    attempt = jobs.submit("sh", "-c", "exit 3")
    jobs.wait(lambda: "created" if jobs.executor._tasks[attempt.token].created_at else "", "Job")
    jobs.executor._requests.close()  # as if it had been killed
    jobs.executor._seen.close()
    jobs.executor = jobs.another_leader()
    jobs.wait(lambda: jobs.executor._seen.synced, "first listing")
    assert jobs.executor.find(attempt) == Starting()
    jobs.kube.do("restart", "controller-manager")
    assert jobs.until(attempt, Ended) == Ended(Exit(3))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_job_that_an_earlier_leader_left_without_its_secret_is_given_up(
    jobs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ensure = jobs.executor._objects._ensure

    def torn(kind: str, *arguments: Any, **keys: Any) -> dict[str, Any]:
        if kind == "secrets":
            raise ApiError(0, "Unreachable", "killed before it came to that")
        return ensure(kind, *arguments, **keys)

    monkeypatch.setattr(jobs.executor._objects, "_ensure", torn)
    attempt = jobs.submit("sh", "-c", "exit 4")
    jobs.wait(lambda: jobs.executor._seen.jobs(attempt.token)[0], "Job")
    jobs.executor._requests.close()
    jobs.executor._seen.close()
    jobs.executor = jobs.another_leader()
    jobs.until(attempt, (Absent, Lost))
    jobs.wait(lambda: not jobs.kube.listed(jobs.cluster.namespace, "jobs"), "end of the Job")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_job_without_pods_says_why(jobs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "_BARE_S", (0.2,))
    jobs.kube.kubectl("create", "quota", "none", "--hard=pods=0", "-n", jobs.cluster.namespace)
    attempt = jobs.submit("true")
    jobs.wait(
        lambda: (
            "exceeded quota: none" in (getattr(jobs.executor.find(attempt), "reason", "") or "")
        ),
        "reason",
    )
    assert "exceeded quota" in json.loads(attempt.folder.place.read_bytes())["waits_for"]


@pytest.fixture
def indexed(monkeypatch: pytest.MonkeyPatch, make_bench: Callable[..., Any]) -> Any:
    """A bench of gangs as Indexed Jobs, of which the old controller makes no pods."""
    monkeypatch.setattr(cluster_room, "JOBS_FROM", (1, 20))
    holder = AttemptObjects.holder

    def idle(self: AttemptObjects, form: Form, owner: dict[str, Any]) -> dict[str, Any]:
        made = holder(self, form, owner)
        return made | {"spec": made["spec"] | {"parallelism": 0}}

    monkeypatch.setattr(AttemptObjects, "holder", idle)
    return make_bench(nodes={"count": 3})


def make_indexed_pods(bench: Any, attempt: Any) -> list[str]:
    """Does what a newer Job controller does with an Indexed Job; returns the pods' names."""
    namespace = bench.cluster.namespace

    def look() -> list[dict[str, Any]]:
        found = bench.kube.listed(namespace, "jobs")
        return [o for o in found if o["metadata"]["labels"]["orchestrate/attempt"] == attempt.token]

    (job,) = bench.wait(look, "Job")
    return [pod["metadata"]["name"] for pod in bench.kube.create(namespace, indexed_pods(job))]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_gang_of_an_indexed_job_runs_whole_and_is_lost_whole(indexed: Any) -> None:
    first = indexed.submit("sh", "-c", 'echo "$RANK of $WORLD_SIZE"')
    make_indexed_pods(indexed, first)
    assert indexed.until(first, Ended) == Ended(Exit(0))
    lines = sorted(first.folder.log.read_text().splitlines())
    assert lines == ["[0] 0 of 3", "[1] 1 of 3", "[2] 2 of 3"]
    second = indexed.submit("sh", "-c", "echo up; exec sleep 600")
    names = make_indexed_pods(indexed, second)
    indexed.until(second, Running)
    indexed.wait(
        lambda: second.folder.log.exists() and second.folder.log.read_text().count("up") == 3, "up"
    )
    namespace = indexed.cluster.namespace
    gone = ("delete", "pod", names[2], "-n", namespace, "--wait=false", "--grace-period=1")
    indexed.kube.kubectl(*gone)
    indexed.until(second, Lost)
    indexed.executor.retain([])
    indexed.executor.close()
    indexed.wait(lambda: not indexed.standing(), "empty namespace")
