"""What has become of an attempt, from what the cluster says of its pods; pure functions."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sigopt_orchestrate.executors.kubernetes.pods import Pod
from sigopt_orchestrate.executors.presence import (
    Absent,
    Ended,
    Exit,
    Lost,
    Presence,
    Running,
    Starting,
)

# What the registry or the node says when an image can never be had as the file names it; all else
# (a registry that is down, a name that does not resolve today) may pass.
_NO_SUCH_IMAGE = re.compile(
    r"not found|manifest unknown|repository does not exist|pull access denied|unauthori[sz]ed"
    r"|invalid reference|not present with pull policy|couldn't parse image",
    re.IGNORECASE,
)
_CONFIGURATION = {
    "InvalidImageName",
    "ErrImageNeverPull",
    "CreateContainerConfigError",
    "RunContainerError",
    "CreateContainerError",
    "StartError",
    "ContainerCannotRun",
}
_NO_PYTHON = re.compile(r"python3.*(executable file not found|no such file)", re.IGNORECASE)


@dataclass(frozen=True)
class Word:
    """The last word of an attempt's first pod.

    Attributes:
        exit: How the command ended.
        report: The metrics file, or its essence; None where it had to be left out.
        size: The metrics file's bytes.
        lost: The rank that was lost, where one was.
    """

    exit: Exit
    report: str | None
    size: int
    lost: int | None = None


def last_word(pod: Pod) -> Word | None:
    """Returns what the pod's container said at its end; None if it could not say anything."""
    if pod.terminated is None:
        return None
    try:
        said: dict[str, Any] = json.loads(pod.terminated.message)
        exit_record = Exit(said["code"], said["ended_by"], said["error"])
        return Word(exit_record, said["report"], said["bytes"], said.get("lost"))
    except (ValueError, KeyError, TypeError):
        return None


def diagnose(
    here: Sequence[Pod], gone: Sequence[Pod], count: int, *, ours: bool
) -> Presence | None:
    """Returns what an attempt's pods amount to; None where there is none and never was.

    Args:
        here: The pods that there are.
        gone: Those that have been deleted, as they last were.
        count: How many there are to be.
        ours: Whether we have asked for the end.
    """
    if not here and not gone:
        return None
    first = next((pod for pod in (*here, *gone) if pod.rank == 0), None)
    if first is not None and first.over:
        found = _ended(first, (*here, *gone), ours=ours)
        if not isinstance(found, Lost) or _settled(here):
            return found
        return Running()
    lost = [pod for pod in (*here, *gone) if pod in gone or pod.over or _is_silent(pod)]
    if lost:
        if not here and not any(pod.running for pod in gone):
            return Absent(pending_reason(gone[0]) or _why(gone[0], count))
        if ours and not here:
            return Ended(Exit(None, ended_by="stop"))
        return Lost(_why(lost[0], count)) if _settled(here) else Running()
    for pod in here:
        error = _misconfigured(pod)
        if error:
            return Ended(Exit(None, error=error))
    if len(here) == count and all(pod.running for pod in here):
        return Running()
    return Starting(next((said for pod in here if (said := pending_reason(pod))), None))


def pending_reason(pod: Pod) -> str | None:
    """Returns why a pod does not run yet, if the cluster says so."""
    if pod.unscheduled is not None:
        return f"no node: {pod.unscheduled}"
    if pod.waiting is not None and pod.waiting[0] not in {
        "",
        "ContainerCreating",
        "PodInitializing",
    }:
        return ": ".join(filter(None, pod.waiting))
    return None


def _settled(here: Sequence[Pod]) -> bool:
    """Whether nothing of an attempt runs any more, as far as anybody can tell."""
    return all(pod.over or pod.node_silent or pod.unscheduled is not None for pod in here)


def _is_silent(pod: Pod) -> bool:
    return pod.node_silent and pod.deleting


def _ended(first: Pod, pods: Sequence[Pod], *, ours: bool) -> Presence:
    """The attempt's first pod is over: by itself, by us, or by the cluster."""
    word = last_word(first)
    others = [pod for pod in pods if pod.terminated and pod.terminated.reason == "OOMKilled"]
    if first.reason in {
        "Evicted",
        "NodeLost",
        "Shutdown",
        "NodeShutdown",
        "Terminated",
        "Preempting",
    }:
        return Lost(_why(first, 1))
    if word is not None and word.exit.code == 0 and word.exit.ended_by is None:
        return Ended(word.exit)
    if others:
        return Ended(Exit(-9, ended_by="memory"))
    if first.reason == "DeadlineExceeded":
        return Ended(Exit(None if word is None else word.exit.code, ended_by="timeout"))
    if word is None:
        return _silent_end(first, ours=ours)
    if word.exit.ended_by == "gang":
        rank = f"rank {word.lost}" if word.lost is not None else "a node"
        pod = next((pod for pod in pods if pod.rank == word.lost), None)
        return Lost(f"{rank} was lost" + (f": {_why(pod, 1)}" if pod and pod.deleting else ""))
    if word.exit.ended_by == "stop" and not ours:
        return Lost(_why(first, 1))
    return Ended(word.exit)


def _silent_end(first: Pod, *, ours: bool) -> Presence:
    """It has ended without a last word: it never began, or was killed before it could speak."""
    ended = first.terminated
    if ended is not None and ended.reason in _CONFIGURATION:
        return Ended(Exit(None, error=_sentence(ended.message or ended.reason)))
    if ours:
        return Ended(Exit(None, ended_by="stop"))
    if first.deleting or first.disruption or ended is None or ended.code in {137, 143}:
        return Lost(_why(first, 1))
    return Lost(f"its container ended with status {ended.code} and said nothing: {ended.message}")


def _misconfigured(pod: Pod) -> str | None:
    """Returns why the pod can never start as it is written, or None."""
    if pod.waiting is None:
        return None
    reason, message = pod.waiting
    if reason in _CONFIGURATION:
        return _sentence(message or reason)
    if reason in {"ErrImagePull", "ImagePullBackOff"} and _NO_SUCH_IMAGE.search(message):
        return f"the image cannot be pulled: {message}"
    return None


def _sentence(message: str) -> str:
    if _NO_PYTHON.search(message):
        return "the image has no python3 on its path, which trials on Kubernetes need"
    return message


def _why(pod: Pod, count: int) -> str:
    """Returns how a pod was lost, in a few words."""
    who = f"rank {pod.rank}: " if count > 1 else ""
    if pod.reason:
        return f"{who}{pod.reason.lower()}: {pod.message}".rstrip(": ")
    if pod.disruption is not None:
        return f"{who}taken away: {pod.disruption}"
    if pod.node_silent:
        return f"{who}its node {pod.node} does not answer"
    return f"{who}its pod was deleted" + (f" from node {pod.node}" if pod.node else "")
