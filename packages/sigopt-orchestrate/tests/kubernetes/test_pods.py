"""Attempts as real pods: how they end, and what is made of it."""

import json
import time

import pytest

from sigopt_orchestrate.executors import Absent, Ended, Exit, Lost, Running, Starting

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
FOREVER = ("sh", "-c", "echo up; exec sleep 600")


def test_how_commands_end_is_found(bench) -> None:
    good = bench.submit("sh", "-c", """echo '{"y": 1}' >> $ORCHESTRATE_METRICS; echo said""")
    bad = bench.submit("sh", "-c", "exit 7")
    killed = bench.submit("sh", "-c", "kill -9 $$")
    absent = bench.submit("no-such-program")
    late = bench.submit("sleep", "600", trial=1)
    hungry = bench.submit("python3", "-c", "b = b'x' * (200 << 20)", memory=100 << 20)
    assert bench.until(good, Ended) == Ended(Exit(0))
    assert bench.until(bad, Ended) == Ended(Exit(7))
    assert bench.until(killed, Ended) == Ended(Exit(-9))
    assert "cannot execute 'no-such-program'" in bench.until(absent, Ended).exit.error
    assert bench.until(late, Ended) == Ended(Exit(-15, ended_by="timeout"))
    assert bench.until(hungry, Ended).exit.ended_by == "memory"
    assert good.folder.metrics.read_text() == '{"y": 1}\n'
    assert good.folder.log.read_text().startswith("said\n")


def test_a_deleted_and_an_evicted_pod_are_lost_and_one_that_we_end_is_not(bench) -> None:
    deleted, evicted, ended = (bench.submit(*FOREVER) for _ in range(3))
    for attempt in (deleted, evicted, ended):
        bench.until(attempt, Running)
    names = [f"{bench.executor._tasks[a.token].name}-0" for a in (deleted, evicted)]
    namespace = bench.cluster.namespace
    bench.kube.kubectl("delete", "pod", names[0], "-n", namespace, "--wait=false")
    eviction = {
        "apiVersion": "policy/v1beta1",
        "kind": "Eviction",
        "metadata": {"name": names[1], "namespace": namespace},
    }
    address = f"/api/v1/namespaces/{namespace}/pods/{names[1]}/eviction"
    bench.kube.kubectl("create", "--raw", address, "-f", "-", given=json.dumps(eviction))
    bench.executor.end(ended)
    assert "was deleted" in bench.until(deleted, Lost).reason
    assert "was deleted" in bench.until(evicted, Lost).reason
    assert bench.until(ended, Ended).exit.ended_by == "stop"


def test_an_image_that_does_not_start_python_is_a_mistake(make_bench) -> None:
    bench = make_bench(image="localhost/pause:local")
    found = bench.until(bench.submit("true"), Ended)
    assert "no python3" in found.exit.error


def test_a_pod_that_fits_nowhere_says_why_and_can_be_given_up(make_bench) -> None:
    bench = make_bench(resources={"cpu": 500})
    attempt = bench.submit("true")
    bench.wait(lambda: "Insufficient cpu" in (bench.executor.find(attempt).reason or ""), "reason")
    assert "Insufficient cpu" in json.loads(attempt.folder.place.read_bytes())["waits_for"]
    bench.executor.end(attempt)
    assert "Insufficient cpu" in bench.until(attempt, (Absent, Lost)).reason


def test_another_leader_finds_what_runs_and_what_has_ended(bench) -> None:
    running = bench.submit(*FOREVER)
    ended = bench.submit("sh", "-c", "exit 3")
    bench.until(running, Running)
    bench.wait(
        lambda: any(
            pod["status"]["phase"] == "Failed"
            for pod in bench.kube.listed(bench.cluster.namespace, "pods")
            if pod["metadata"]["labels"]["orchestrate/attempt"] == ended.token
        ),
        "end",
    )
    bench.executor._requests.close()  # as if it had been killed
    bench.executor._seen.close()
    ended.folder.exit.unlink(missing_ok=True)
    bench.executor = bench.another_leader()
    assert bench.until(running, Running) == Running()
    assert bench.until(ended, Ended) == Ended(Exit(3))
    never = bench.attempt()
    assert bench.until(never, Absent) == Absent()


def test_the_cluster_is_swept_of_what_nobody_wants(bench) -> None:
    kept, unwanted = bench.submit(*FOREVER), bench.submit(*FOREVER)
    bench.until(kept, Running)
    bench.until(unwanted, Running)
    bench.executor.retain([kept.token])
    bench.wait(lambda: len(bench.staying()) == 1, "single pod")
    assert bench.executor.find(kept) == Running()
    bench.executor.retain([])
    bench.wait(lambda: not bench.staying(), "end")


def test_a_name_that_somebody_else_has_is_said(bench) -> None:
    attempt = bench.attempt()
    name = f"{bench.executor._names.attempt(1, 1)}"
    bench.kube.kubectl("create", "secret", "generic", name, "-n", bench.cluster.namespace)
    del bench.attempts[attempt.token]
    found = bench.until(bench.submit("true"), Ended)
    assert f"secret {name!r}" in found.exit.error
    assert "belongs to somebody else" in found.exit.error
    bench.wait(lambda: not bench.pods(), "end of what was made before")


def test_an_early_stop_reaches_the_pod(bench) -> None:
    line = "until [ -e $ORCHESTRATE_STOP ]; do sleep 0.1; done; exit 5"
    attempt = bench.submit("sh", "-c", line)
    bench.until(attempt, Running)
    attempt.folder.stop.touch()
    assert bench.until(attempt, Ended) == Ended(Exit(5))


def test_deleting_the_root_leaves_nothing(bench) -> None:
    bench.until(bench.submit(*FOREVER), Running)
    assert len(bench.objects()) == 3
    root = bench.executor._names.root
    bench.kube.kubectl("delete", "configmap", root, "-n", bench.cluster.namespace)
    bench.wait(lambda: not bench.objects(), "empty namespace")


def test_a_pod_that_its_silent_node_never_starts_is_given_up_when_it_is_to_go(bench) -> None:
    namespace = bench.cluster.namespace
    bench.kube.do("kill", "kubelet")
    try:
        attempt = bench.submit("true")
        bound = bench.wait(
            lambda: [
                pod["metadata"]["name"]
                for pod in bench.kube.listed(namespace, "pods")
                if pod["spec"].get("nodeName")
            ],
            "pod with a node",
        )
        bench.kube.kubectl("delete", "pod", *bound, "-n", namespace, "--wait=false")
        assert isinstance(bench.until(attempt, Absent), Absent)
        assert bench.pods() == []
    finally:
        bench.kube.do("restart", "kubelet")


def test_an_outage_of_the_api_server_loses_nothing(bench) -> None:
    running = bench.submit("sh", "-c", "sleep 8; exit 4")
    bench.until(running, Running)
    bench.kube.do("kill", "apiserver")
    submitted = bench.submit("sh", "-c", "exit 6")
    deadline = time.monotonic() + 3
    bench.wait(lambda: time.monotonic() > deadline, "three seconds")
    assert bench.executor.find(running) == Running()
    assert isinstance(bench.executor.find(submitted), Starting)
    bench.kube.do("restart", "apiserver")
    assert bench.until(running, Ended) == Ended(Exit(4))
    assert bench.until(submitted, Ended) == Ended(Exit(6))
