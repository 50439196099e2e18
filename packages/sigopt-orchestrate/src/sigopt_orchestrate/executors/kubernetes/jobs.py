"""What matters of an attempt's Job: whether there is one, and whether it still means to run.

A JobSet or an MPIJob in its place says the same in words of its own.
"""

from dataclasses import dataclass
from typing import Any

from sigopt_orchestrate.executors.kubernetes.pods import ATTEMPT
from sigopt_orchestrate.executors.presence import Absent, Lost, Presence, Starting

_OVER = {"Failed", "Complete", "Completed", "Succeeded"}
_COUNTS = ("active", "succeeded", "failed")


@dataclass(frozen=True)
class Job:
    """The Job of an attempt, or whatever stands for one.

    Attributes:
        kind: Kubernetes' word for it.
        attempt: The attempt's token.
        ended: Why it starts no pod any more, in the cluster's words; None while it may.
        suspended: Whether somebody, such as Kueue, has yet to let it start.
        started: Whether it has ever had a pod.
        deleting: Whether somebody has asked for its deletion.
    """

    name: str
    attempt: str
    ended: str | None
    suspended: bool
    started: bool
    deleting: bool
    kind: str = "Job"
    rank: int = 0


def read_job(told: dict[str, Any], kind: str = "Job") -> Job:
    """Returns the Job, JobSet or MPIJob that the cluster tells of; a list's do not say which."""
    metadata, status, spec = told["metadata"], told.get("status", {}), told.get("spec", {})
    counted = [
        status,
        *status.get("replicatedJobsStatus", ()),
        *status.get("replicaStatuses", {}).values(),
    ]
    ended = next(
        (
            str(c.get("message") or c.get("reason") or c["type"])
            for c in status.get("conditions", [])
            if c["type"] in _OVER and c["status"] == "True"
        ),
        None,
    )
    return Job(
        name=metadata["name"],
        attempt=metadata.get("labels", {}).get(ATTEMPT, ""),
        ended=ended,
        suspended=bool(spec.get("suspend") or spec.get("runPolicy", {}).get("suspend")),
        started=any(one.get(count) for one in counted for count in _COUNTS),
        deleting="deletionTimestamp" in metadata,
        kind=kind,
    )


def diagnose_job(here: list[Job], gone: list[Job]) -> Presence | None:
    """Returns what an attempt's Job amounts to as long as no pod of it has ever been seen.

    A Job that is there is an attempt that is there: the Job controller makes its pods when it gets
    round to it, whoever has created the Job and whether or not that one still lives.

    Args:
        here: The Job, if there is one.
        gone: The Job, if it was deleted, as it last was.
    """
    for job in here:
        if job.ended is not None:
            return Lost(f"its {job.kind} has ended and its pod is gone: {job.ended}")
        if job.suspended:
            return Starting(f"its {job.kind} is suspended until the cluster's queue admits it")
        return Starting()
    if gone:
        said = f"its {gone[0].kind} was deleted"
        return Lost(said) if gone[0].started else Absent(said)
    return None
