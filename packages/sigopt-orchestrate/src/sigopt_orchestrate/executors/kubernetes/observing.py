"""What there is of an experiment's attempts in its cluster: their pods, and their Jobs."""

from collections.abc import Callable

from sigopt_orchestrate.executors.kubernetes.cluster import Cluster
from sigopt_orchestrate.executors.kubernetes.jobs import Job, read_job
from sigopt_orchestrate.executors.kubernetes.pods import Pod, read_pod
from sigopt_orchestrate.executors.kubernetes.watch import Watch


class Observer:
    """Watches the pods and, where attempts are Jobs, the Jobs of an experiment.

    Args:
        cluster: Where they are.
        experiment: The value of their label.
        changed: Called in a thread of its own with the attempt that something happened to.
    """

    def __init__(self, cluster: Cluster, experiment: str, changed: Callable[[str], None]) -> None:
        def jobs() -> str | None:
            return cluster.path("jobs", group="batch/v1") if cluster.has_jobs else None

        self._pods: Watch[Pod] = Watch(
            cluster, lambda: cluster.path("pods"), experiment, read_pod, changed
        )
        self._jobs: Watch[Job] = Watch(cluster, jobs, experiment, read_job, changed)
        self._pods.start()
        self._jobs.start()

    @property
    def synced(self) -> bool:
        """Whether all that there is has been listed at least once."""
        return self._pods.synced and self._jobs.synced

    @property
    def trouble(self) -> str | None:
        """Why the cluster cannot be watched at present, if it cannot."""
        return self._pods.trouble or self._jobs.trouble

    def pods(self, attempt: str) -> tuple[list[Pod], list[Pod]]:
        """Returns an attempt's pods, and those that were and are no more, each by rank."""
        return self._pods.objects(attempt)

    def jobs(self, attempt: str) -> tuple[list[Job], list[Job]]:
        """Returns an attempt's Job, if there is one, and the one that was and is no more."""
        return self._jobs.objects(attempt)

    def attempts(self) -> set[str]:
        """Returns the attempts of which there is anything."""
        return self._pods.attempts() | self._jobs.attempts()

    def forget(self, attempt: str) -> list[Pod]:
        """Forgets what is no more of an attempt; returns all its pods, as they are or last were."""
        here, gone = self.pods(attempt)
        self._pods.forget(attempt)
        self._jobs.forget(attempt)
        return [*here, *gone]

    def close(self) -> None:
        """Stops watching, at the next event at the latest."""
        self._pods.close()
        self._jobs.close()
