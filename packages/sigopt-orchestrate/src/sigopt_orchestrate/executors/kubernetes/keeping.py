"""What is kept of an attempt in its folder: where it is, what it reported, how it ended."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sigopt_orchestrate.executors.kubernetes.diagnosis import last_word
from sigopt_orchestrate.executors.kubernetes.pods import Pod
from sigopt_orchestrate.executors.presence import Ended, Exit
from sigopt_orchestrate.executors.records import read_record
from sigopt_orchestrate.executors.supervisor import write_whole
from sigopt_orchestrate.spec import Experiment
from sigopt_orchestrate.store import AttemptFolder


def keep_exit(folder: AttemptFolder, record: Exit) -> Ended:
    """Keeps how the attempt ended."""
    folder.root.mkdir(parents=True, exist_ok=True)
    write_whole(folder.exit, asdict(record))
    return Ended(record)


def keep_report(folder: AttemptFolder, pods: Sequence[Pod]) -> None:
    """Keeps the report in the first pod's last word, unless the log has brought all of it."""
    first = next((pod for pod in pods if pod.rank == 0), None)
    word = last_word(first) if first is not None else None
    if word is None or word.report is None:
        return
    if not folder.metrics.exists() or folder.metrics.stat().st_size < word.size:
        folder.metrics.write_bytes(word.report.encode(errors="surrogateescape"))


def place_of(
    spec: Experiment, namespace: str, pods: Sequence[Pod], waits_for: str | None
) -> dict[str, Any]:
    """Returns what `status` and `top` say of the place of an attempt.

    Args:
        spec: The experiment.
        namespace: Where the pods are.
        pods: Those that there are.
        waits_for: Why the attempt does not run yet, if that is known.
    """
    asked = spec.resources
    requests = {"cpu": asked.cpu, "memory": asked.memory, asked.gpu_type: asked.gpu}
    return {
        "namespace": namespace,
        "pods": [{"name": pod.name, "node": pod.node, "phase": pod.phase} for pod in pods],
        "requests": {name: amount for name, amount in requests.items() if amount},
        "waits_for": waits_for,
    }


def keep_place(folder: AttemptFolder, place: dict[str, Any]) -> None:
    """Keeps the place."""
    folder.root.mkdir(parents=True, exist_ok=True)
    write_whole(folder.place, place)


def had_pods(folder: AttemptFolder) -> bool:
    """Whether a pod of the attempt has ever been seen."""
    place = read_record(folder.place)
    return place is not None and bool(place.get("pods"))
