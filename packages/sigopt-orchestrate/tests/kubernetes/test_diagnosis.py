"""What an attempt's pods amount to, from what a cluster says of them."""

import json
from typing import Any

import pytest

from sigopt_orchestrate.executors import Absent, Ended, Exit, Lost, Presence, Running, Starting
from sigopt_orchestrate.executors.kubernetes.diagnosis import diagnose
from sigopt_orchestrate.executors.kubernetes.pods import Pod, read_pod

RUNNING = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}


def told(
    state: dict[str, Any] | None = None,
    *,
    phase: str = "Running",
    ready: bool = True,
    deleting: bool = False,
    rank: int = 0,
    conditions: tuple[dict[str, Any], ...] = (),
    **status: Any,
) -> Pod:
    """Returns a pod as a cluster tells of it."""
    metadata: dict[str, Any] = {"name": f"p-{rank}", "labels": {"orchestrate/rank": str(rank)}}
    if deleting:
        metadata["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    found = [{"type": "Ready", "status": "True" if ready else "False"}, *conditions]
    containers = [] if state is None else [{"name": "trial", "state": state}]
    return read_pod(
        {
            "metadata": metadata,
            "spec": {"nodeName": "n1"},
            "status": {
                "phase": phase,
                "conditions": found,
                "containerStatuses": containers,
                **status,
            },
        }
    )


def over(code: int, message: str = "", reason: str = "Error", **given: Any) -> Pod:
    """Returns a pod whose container has ended."""
    state = {"terminated": {"exitCode": code, "reason": reason, "message": message}}
    return told(state, phase="Succeeded" if code == 0 else "Failed", ready=False, **given)


def said(code: int | None, ended_by: str | None = None, **more: Any) -> str:
    """Returns a container's last word."""
    return json.dumps(
        {"code": code, "ended_by": ended_by, "error": None, "report": "", "bytes": 0, **more}
    )


def waiting(reason: str, message: str = "") -> Pod:
    """Returns a pod whose container does not start."""
    return told({"waiting": {"reason": reason, "message": message}}, phase="Pending", ready=False)


@pytest.mark.parametrize(
    ("pod", "found"),
    [
        (told(RUNNING), Running()),
        (over(0, said(0)), Ended(Exit(0))),
        (over(7, said(7)), Ended(Exit(7))),
        (over(143, said(-15, "timeout")), Ended(Exit(-15, "timeout"))),
        (over(137, reason="OOMKilled"), Ended(Exit(-9, "memory"))),
        (over(137, said(-9), reason="OOMKilled"), Ended(Exit(-9, "memory"))),
        (over(0, said(0), deleting=True), Ended(Exit(0))),
        (
            over(137, reason="Error", deleting=True),
            Lost("its pod was deleted from node n1"),
        ),
        (over(143, said(-15, "stop"), deleting=True), Lost("its pod was deleted from node n1")),
        (
            told(
                phase="Failed", reason="Evicted", message="The node was low on memory.", ready=False
            ),
            Lost("evicted: The node was low on memory."),
        ),
        (
            told(phase="Failed", reason="DeadlineExceeded", ready=False),
            Ended(Exit(None, "timeout")),
        ),
        (
            told(RUNNING, ready=False, deleting=True),
            Lost("its node n1 does not answer"),
        ),
        (told(RUNNING, ready=False), Running()),
        (
            told(
                RUNNING,
                ready=False,
                deleting=True,
                conditions=({"type": "ContainersReady", "status": "False"},),
            ),
            Running(),  # its node speaks, and ends it
        ),
        (waiting("ContainerCreating"), Starting()),
        (
            waiting("ErrImagePull", "manifest unknown: no such tag"),
            Ended(Exit(None, error="the image cannot be pulled: manifest unknown: no such tag")),
        ),
        (
            waiting("ErrImagePull", "unexpected status code 503"),
            Starting("ErrImagePull: unexpected status code 503"),
        ),
        (waiting("InvalidImageName", "bad"), Ended(Exit(None, error="bad"))),
        (
            over(128, 'exec: "python3": executable file not found in $PATH', reason="StartError"),
            Ended(
                Exit(
                    None,
                    error="the image has no python3 on its path, which trials on Kubernetes need",
                )
            ),
        ),
        (
            told(
                phase="Pending",
                ready=False,
                conditions=(
                    {"type": "PodScheduled", "status": "False", "message": "0/1 nodes: no room"},
                ),
            ),
            Starting("no node: 0/1 nodes: no room"),
        ),
        (
            over(
                137,
                deleting=True,
                conditions=(
                    {
                        "type": "DisruptionTarget",
                        "status": "True",
                        "reason": "PreemptionByScheduler",
                        "message": "preempted for a pod of higher priority",
                    },
                ),
            ),
            Lost("taken away: preempted for a pod of higher priority"),
        ),
    ],
)
def test_one_pod(pod: Pod, found: Presence) -> None:
    assert diagnose([pod], [], 1, ours=False) == found


def test_a_container_that_somebody_has_injected_is_none_of_ours() -> None:
    ended = {"terminated": {"exitCode": 3, "reason": "Error", "message": said(3)}}
    statuses = [{"name": "proxy", "state": RUNNING}, {"name": "trial", "state": ended}]
    pod = told(containerStatuses=statuses)
    assert diagnose([pod], [], 1, ours=False) == Ended(Exit(3))


def test_what_we_ended_is_stopped_and_what_others_ended_is_lost() -> None:
    pod = over(143, said(-15, "stop"), deleting=True)
    assert diagnose([], [pod], 1, ours=True) == Ended(Exit(-15, "stop"))
    assert isinstance(diagnose([], [pod], 1, ours=False), Lost)
    assert diagnose([], [told(RUNNING)], 1, ours=True) == Ended(Exit(None, "stop"))
    assert isinstance(diagnose([], [told(RUNNING)], 1, ours=False), Lost)


def test_a_pod_that_never_ran_is_absent() -> None:
    assert isinstance(diagnose([], [waiting("ContainerCreating")], 1, ours=True), Absent)
    assert diagnose([], [], 1, ours=False) is None


def test_a_gang_runs_when_all_its_pods_do_and_is_lost_with_any_of_them() -> None:
    here = [told(RUNNING, rank=rank) for rank in range(3)]
    assert diagnose(here, [], 3, ours=False) == Running()
    assert isinstance(diagnose(here[:2], [], 3, ours=False), Starting)
    gone = told(RUNNING, rank=1, deleting=True)
    assert diagnose([here[0], here[2]], [gone], 3, ours=False) == Running(), "the others run yet"
    ended = [over(1, said(None, "gang", lost=1)), over(1, said(None, "gang"), rank=2)]
    found = diagnose(ended, [gone], 3, ours=False)
    assert isinstance(found, Lost)
    assert "rank 1" in found.reason


def test_a_gang_whose_command_failed_is_no_loss() -> None:
    here = [over(3, said(3)), told(RUNNING, rank=1)]
    assert diagnose(here, [], 2, ours=False) == Ended(Exit(3))
