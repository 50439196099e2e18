"""One trial on several real pods: all or nothing, started by mpiexec or by torchrun's variables."""

import hashlib
import hmac
import json
import socket
from collections.abc import Callable

import pytest

from sigopt_orchestrate.executors import Ended, Exit, Lost, Running, Starting

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

MPI = """\
import json, os, socket
from mpi4py import MPI
world = MPI.COMM_WORLD
hosts = world.allgather(socket.gethostname())
if world.rank == 0:
    with open(os.environ["ORCHESTRATE_METRICS"], "a") as file:
        file.write(json.dumps({"y": world.size, "hosts": len(set(hosts))}) + "\\n")
"""
FOREVER = ("sh", "-c", "echo up $RANK; exec sleep 600")


def test_mpiexec_starts_processes_on_all_pods_without_sshd(
    make_bench: Callable[..., object],
) -> None:
    bench = make_bench(nodes={"count": 4, "mpi": {"slots": 2}})
    attempt = bench.submit("mpiexec", "-n", "8", "python3", "-c", MPI)
    assert bench.until(attempt, Ended) == Ended(Exit(0)), attempt.folder.log.read_text()
    assert json.loads(attempt.folder.metrics.read_text()) == {"y": 8, "hosts": 4}


def test_every_rank_gets_torchruns_variables_and_a_place_in_the_log(make_bench) -> None:
    bench = make_bench(nodes={"count": 3})
    attempt = bench.submit("sh", "-c", 'echo "$RANK/$WORLD_SIZE at $MASTER_ADDR:$MASTER_PORT"')
    assert bench.until(attempt, Ended) == Ended(Exit(0))
    lines = sorted(attempt.folder.log.read_text().splitlines())
    assert [line.partition("/")[0] for line in lines] == ["[0] 0", "[1] 1", "[2] 2"]
    assert len({line.partition("/")[2] for line in lines}) == 1


def test_one_rank_that_fails_ends_the_others_and_is_the_trials_failure(make_bench) -> None:
    bench = make_bench(nodes={"count": 3})
    attempt = bench.submit("sh", "-c", "[ $RANK = 2 ] && exit 9; exec sleep 600")
    assert bench.until(attempt, Ended) == Ended(Exit(9))


def test_a_lost_rank_ends_the_gang_and_is_no_failure_of_the_trial(make_bench) -> None:
    bench = make_bench(nodes={"count": 3})
    attempts = {rank: bench.submit(*FOREVER) for rank in (0, 2)}
    for attempt in attempts.values():
        bench.until(attempt, Running)
        log = attempt.folder.log
        bench.wait(lambda log=log: log.exists() and log.read_text().count("up") == 3, "up")
    names = [f"{bench.executor._tasks[a.token].name}-{rank}" for rank, a in attempts.items()]
    gone = ("delete", "pod", *names, "-n", bench.cluster.namespace)
    bench.kube.kubectl(*gone, "--wait=false", "--grace-period=1")
    for attempt in attempts.values():
        reason = bench.until(attempt, Lost).reason
        assert "lost" in reason or "deleted" in reason
    bench.executor.retain([])
    bench.wait(lambda: not bench.staying(), "end of all pods")


def test_a_gang_that_does_not_fit_whole_starts_no_command(make_bench) -> None:
    bench = make_bench(nodes={"count": 2}, resources={"cpu": 1.2})  # the node has two cores
    attempt = bench.submit("sh", "-c", "echo ran")
    bench.wait(
        lambda: (getattr(bench.executor.find(attempt), "reason", None) or "").startswith("no node"),
        "reason",
    )
    assert isinstance(bench.executor.find(attempt), Starting)
    assert not attempt.folder.log.exists() or "ran" not in attempt.folder.log.read_text()


def test_callers_without_the_key_get_nothing(make_bench) -> None:
    bench = make_bench(nodes={"count": 2})
    attempt = bench.submit(*FOREVER)
    bench.until(attempt, Running)
    bench.wait(
        lambda: attempt.folder.log.exists() and attempt.folder.log.read_text().count("up") == 2,
        "up",
    )
    pods = bench.kube.listed(bench.cluster.namespace, "pods")
    address = pods[1]["status"]["podIP"]
    assert _ask(address, b"wrong key") is None


def _ask(address: str, key: bytes) -> bytes | None:
    """Asks a node's agent to execute something; returns what it says, None if it hangs up."""
    with socket.create_connection((address, 28471), timeout=10) as connection:
        nonce = json.loads(connection.makefile().readline())["nonce"]
        body = json.dumps({"kind": "exec", "command": "echo owned"})
        proof = hmac.new(key, f"{nonce} {body}".encode(), hashlib.sha256).hexdigest()
        connection.sendall(json.dumps({"body": body, "proof": proof}).encode() + b"\n")
        return connection.recv(100) or None
