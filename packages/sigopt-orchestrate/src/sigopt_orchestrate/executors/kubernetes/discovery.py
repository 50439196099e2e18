"""As which kind of object an experiment's attempts are given to its cluster."""

import threading

from sigopt_orchestrate.executors.kubernetes.cluster import Cluster
from sigopt_orchestrate.executors.kubernetes.forms import JOB, Form, asked_for
from sigopt_orchestrate.executors.kubernetes.rights import missing_rights, rights_to
from sigopt_orchestrate.spec import Experiment


def why_not(cluster: Cluster, form: Form) -> str | None:
    """Returns why gangs cannot be objects of this kind in a namespace; None where they can.

    Raises:
        ApiError: If the cluster does not say.
    """
    if not cluster.has_jobs:
        return "its Kubernetes is older than 1.29"
    if not cluster.serves(form.api, form.plural):
        return f"it has no {form.plural} of {form.api}"
    missing = missing_rights(cluster, (rights_to(form),))
    return f"you may not: {', '.join(missing)}" if missing else None


class Forms:
    """The kinds that matter to one experiment in its cluster, which is asked once.

    Args:
        cluster: Where its attempts run.
        spec: The experiment.
    """

    def __init__(self, cluster: Cluster, spec: Experiment) -> None:
        assert spec.backend is not None  # noqa: S101 - whoever chose this executor has looked
        self._backend = spec.backend.kubernetes
        self.asked = asked_for(self._backend, spec.nodes.count)
        self._cluster = cluster
        self._known: tuple[Form, ...] | None = None
        self._lock = threading.Lock()

    @property
    def known(self) -> tuple[Form, ...]:
        """Those of which there may be objects, the one that is made last.

        An earlier leader may have made Jobs where JobSets are made today.

        Raises:
            ApiError: If the cluster does not say.
        """
        with self._lock:  # the watches ask at the same moment
            if self._known is None:
                self._known = self._look()
            return self._known

    def _look(self) -> tuple[Form, ...]:
        if not self._cluster.has_jobs:
            return ()
        if self.asked == JOB or why_not(self._cluster, self.asked) is not None:
            return (JOB,)
        return JOB, self.asked

    @property
    def used(self) -> Form | None:
        """The one that is made; None where attempts are pods of our own.

        Raises:
            ApiError: If the cluster does not say.
        """
        return self.known[-1] if self.known else None

    @property
    def impossible(self) -> str | None:
        """Why gangs cannot run here at all as the experiment wants it; None where they can.

        Raises:
            ApiError: If the cluster does not say.
        """
        if self._backend.exclusive_topology is None or self.asked in {JOB, self.used}:
            return None
        why = why_not(self._cluster, self.asked)
        said = f"needs JobSets, which you cannot have in {self._cluster.name}: {why}"
        return f"backend.kubernetes.exclusive_topology: {said}"
