"""What matters of a pod, out of the few thousand bytes that the cluster says about it."""

from dataclasses import dataclass
from typing import Any

from sigopt_orchestrate.executors.kubernetes.pod.places import CONTAINER, rank_of

ATTEMPT = "orchestrate/attempt"
EXPERIMENT = "orchestrate/experiment"
RANK = "orchestrate/rank"
_JOB_RANK = "batch.kubernetes.io/job-completion-index"
_MPI_ROLE = "training.kubeflow.org/job-role"


@dataclass(frozen=True)
class Terminated:
    """How the container ended.

    Attributes:
        code: Its exit status.
        reason: Kubernetes' word, for example `OOMKilled`.
        message: Its last word, or why it never began.
    """

    code: int
    reason: str
    message: str


@dataclass(frozen=True)
class Pod:
    """One pod of an attempt.

    Attributes:
        attempt: The attempt's token.
        rank: Its number in the attempt's gang, from 0.
        reason: Why the pod as a whole ended, for example `Evicted`; so is `message`.
        deleting: Whether somebody has asked for its deletion.
        unscheduled: Why there is no node for it; None once there is.
        waiting: Why its container does not start, as `(reason, message)`.
        running: Whether its container runs.
        ready: Whether its node vouches for it. A node that does not answer loses its pods' `Ready`
            to the node controller, which leaves `ContainersReady` as the node has last said it;
            whatever else makes a pod unready, an injected container for example, changes both.
        disruption: Why the cluster takes it away, where the server says so (Kubernetes 1.26).
    """

    name: str
    attempt: str
    rank: int
    phase: str
    reason: str
    message: str
    node: str | None
    ip: str | None
    deleting: bool
    unscheduled: str | None
    waiting: tuple[str, str] | None
    running: bool
    ready: bool
    terminated: Terminated | None
    disruption: str | None

    @property
    def over(self) -> bool:
        """Whether nothing of it runs any more."""
        return self.phase in {"Succeeded", "Failed"} or self.terminated is not None

    @property
    def node_silent(self) -> bool:
        """Whether its node no longer answers."""
        return self.running and not self.ready


def read_pod(told: dict[str, Any]) -> Pod:
    """Returns the pod that the cluster tells of."""
    metadata, status = told["metadata"], told.get("status", {})
    labels = metadata.get("labels", {})
    conditions = {c["type"]: c for c in status.get("conditions", [])}
    scheduled, ready = conditions.get("PodScheduled", {}), conditions.get("Ready", {})
    disruption = conditions.get("DisruptionTarget", {})
    unready = conditions.get("ContainersReady", {}).get("status") == "False"
    containers = {one["name"]: one for one in status.get("containerStatuses", [])}
    container: dict[str, Any] = containers.get(CONTAINER, {})  # others may have been injected
    state = container.get("state", {})
    ended = state.get("terminated")
    waiting = state.get("waiting")
    return Pod(
        name=metadata["name"],
        attempt=labels.get(ATTEMPT, ""),
        rank=_rank(metadata["name"], labels),
        phase=status.get("phase", "Pending"),
        reason=status.get("reason", ""),
        message=status.get("message", ""),
        node=told.get("spec", {}).get("nodeName"),
        ip=status.get("podIP"),
        deleting="deletionTimestamp" in metadata,
        unscheduled=_message(scheduled) if scheduled.get("status") == "False" else None,
        waiting=(waiting.get("reason", ""), waiting.get("message", "")) if waiting else None,
        running="running" in state,
        ready=ready.get("status") == "True" or unready,
        terminated=_terminated(ended) if ended else None,
        disruption=_message(disruption) if disruption.get("status") == "True" else None,
    )


def _rank(name: str, labels: dict[str, str]) -> int:
    if labels.get(_MPI_ROLE) == "worker":
        # Its replica-index counts from 0 or from 1, as the operator's version has it.
        return rank_of(name)
    return int(labels.get(RANK) or labels.get(_JOB_RANK) or 0)


def _message(condition: dict[str, Any]) -> str:
    return str(condition.get("message") or condition.get("reason") or "no reason given")


def _terminated(ended: dict[str, Any]) -> Terminated:
    return Terminated(ended.get("exitCode", -1), ended.get("reason", ""), ended.get("message", ""))
