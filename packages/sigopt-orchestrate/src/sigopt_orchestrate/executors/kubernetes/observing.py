"""What there is of an experiment's attempts in its cluster: their pods, and what holds these."""

from collections.abc import Callable
from functools import partial

from sigopt_orchestrate.executors.kubernetes.cluster import Cluster
from sigopt_orchestrate.executors.kubernetes.discovery import Forms
from sigopt_orchestrate.executors.kubernetes.forms import JOB, Form
from sigopt_orchestrate.executors.kubernetes.jobs import Job, read_job
from sigopt_orchestrate.executors.kubernetes.pods import Pod, read_pod
from sigopt_orchestrate.executors.kubernetes.watch import Watch


class Observer:
    """Watches the pods of an experiment, and its Jobs, JobSets or MPIJobs where it has any.

    Args:
        cluster: Where they are.
        forms: What attempts are given to it as.
        experiment: The value of their label.
        changed: Called in a thread of its own with the attempt that something happened to.
    """

    def __init__(
        self, cluster: Cluster, forms: Forms, experiment: str, changed: Callable[[str], None]
    ) -> None:
        def address(form: Form) -> str | None:
            return cluster.path(form.plural, group=form.api) if form in forms.known else None

        self._pods: Watch[Pod] = Watch(
            cluster, lambda: cluster.path("pods"), experiment, read_pod, changed
        )
        self._jobs: list[Watch[Job]] = [
            Watch(
                cluster,
                partial(address, form),
                experiment,
                partial(read_job, kind=form.kind),
                changed,
            )
            for form in dict.fromkeys((JOB, forms.asked))
        ]
        self._watches: tuple[Watch[Pod] | Watch[Job], ...] = (self._pods, *self._jobs)
        for watch in self._watches:
            watch.start()

    @property
    def synced(self) -> bool:
        """Whether all that there is has been listed at least once."""
        return all(watch.synced for watch in self._watches)

    @property
    def trouble(self) -> str | None:
        """Why the cluster cannot be watched at present, if it cannot."""
        return next((watch.trouble for watch in self._watches if watch.trouble), None)

    def pods(self, attempt: str) -> tuple[list[Pod], list[Pod]]:
        """Returns an attempt's pods, and those that were and are no more, each by rank."""
        return self._pods.objects(attempt)

    def jobs(self, attempt: str) -> tuple[list[Job], list[Job]]:
        """Returns an attempt's Job, if there is one, and the one that was and is no more."""
        found = [watch.objects(attempt) for watch in self._jobs]
        return [j for here, _ in found for j in here], [j for _, gone in found for j in gone]

    def attempts(self) -> set[str]:
        """Returns the attempts of which there is anything."""
        return set().union(*(watch.attempts() for watch in self._watches))

    def forget(self, attempt: str) -> list[Pod]:
        """Forgets what is no more of an attempt; returns all its pods, as they are or last were."""
        here, gone = self.pods(attempt)
        for watch in self._watches:
            watch.forget(attempt)
        return [*here, *gone]

    def close(self) -> None:
        """Stops watching, at the next event at the latest."""
        for watch in self._watches:
            watch.close()
