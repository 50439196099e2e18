"""The kinds of object by which an attempt may be given to a cluster, where that is not pods."""

from dataclasses import dataclass

from sigopt_orchestrate.spec import Kubernetes


@dataclass(frozen=True)
class Form:
    """A kind that holds all pods of an attempt.

    Attributes:
        kind: As Kubernetes writes it.
        group: Of its API.
        version: The one that we write.
        maker: What its name is followed by in that of the Job which makes the first pod.
    """

    kind: str
    group: str
    version: str
    maker: str

    @property
    def plural(self) -> str:
        """Its part of an address."""
        return f"{self.kind.lower()}s"

    @property
    def api(self) -> str:
        """Group and version."""
        return f"{self.group}/{self.version}"


REPLICATED = "gang"
"""What a JobSet's only replicated Job is called."""

JOB = Form("Job", "batch", "v1", "")
JOBSET = Form("JobSet", "jobset.x-k8s.io", "v1alpha2", f"-{REPLICATED}-0")
MPIJOB = Form("MPIJob", "kubeflow.org", "v2beta1", "-launcher")

FORMS = {"job": JOB, "jobset": JOBSET, "mpijob": MPIJOB}
"""By the word of `backend.kubernetes.gangs`."""


def asked_for(backend: Kubernetes, nodes: int) -> Form:
    """Returns the form that an experiment wishes for; one pod alone is always a Job."""
    return FORMS[backend.gangs] if nodes > 1 else JOB
