"""The objects that an experiment consists of in its cluster, as plain mappings.

    ConfigMap orc-E-xxxxx            the experiment's root: holds the pods' code, and owns
      Pod     orc-E-xxxxx-T-K-0      an attempt's first node, which owns
        Pod     orc-E-xxxxx-T-K-R    its other nodes, and
        Secret  orc-E-xxxxx-T-K      its key and secrets
      Job     orc-E-xxxxx-T-K        in place of the pods, where the server is new enough

Deleting an owner deletes what it owns. A Secret is owned by those that mount it, and not the other
way round: the kubelet of 1.20 cannot end a pod for two minutes whose Secret went first.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sigopt_orchestrate.executors.executor import Work
from sigopt_orchestrate.executors.kubernetes.pod_spec import pod_files, pod_spec
from sigopt_orchestrate.executors.kubernetes.pods import ATTEMPT, EXPERIMENT, RANK
from sigopt_orchestrate.spec import Experiment
from sigopt_orchestrate.store import ExperimentRecord

Json = dict[str, Any]

_KUEUE_QUEUE = "kueue.x-k8s.io/queue-name"


@dataclass(frozen=True)
class Names:
    """What an experiment's objects are called: the same for every leader, unlike any other store's.

    Attributes:
        root: The experiment's name, and the value of its label.
    """

    root: str

    @classmethod
    def of(cls, experiment: ExperimentRecord) -> "Names":
        """Returns the names of an experiment's objects."""
        told = f"{experiment.id} {experiment.spec.name} {experiment.created_at!r}"
        digest = hashlib.sha256(told.encode()).hexdigest()[:5]
        return cls(f"orc-{experiment.id}-{digest}")

    def attempt(self, trial: int, attempt: int) -> str:
        """Returns the name of an attempt's Secret and Job."""
        return f"{self.root}-{trial}-{attempt}"


def root(names: Names, experiment: Experiment) -> Json:
    """Returns the ConfigMap that owns everything else."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": names.root,
            "labels": _labels(names),
            "annotations": {"orchestrate/experiment-name": experiment.name},
        },
        "data": pod_files(experiment),
    }


@dataclass(frozen=True)
class AttemptObjects:
    """Makes the objects of one attempt.

    Attributes:
        names: The experiment's.
        name: The attempt's.
        token: The attempt's.
        spec: The experiment.
        work: What to execute.
    """

    names: Names
    name: str
    token: str
    spec: Experiment
    work: Work

    def pod(self, rank: int, owner: Json) -> Json:
        """Returns the Pod of one node, owned by the root or the first node."""
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": f"{self.name}-{rank}",
                "labels": {**_labels(self.names, self.token), RANK: str(rank)},
                "ownerReferences": [owner],
            },
            "spec": pod_spec(self.names.root, self.name, self.spec, self.work, rank),
        }

    def job(self, owner: Json) -> Json:
        """Returns the Indexed Job of the attempt, for Kubernetes 1.29 and newer.

        A pod that is lost fails the Job at once: whether the trial runs again is for us to say, as
        another attempt.

        Args:
            owner: The root.
        """
        labels = _labels(self.names, self.token)
        assert self.spec.backend is not None  # noqa: S101 - whoever chose this executor has looked
        queue = self.spec.backend.kubernetes.queue
        disrupted = {"type": "DisruptionTarget", "status": "True"}
        template = {
            "metadata": {"labels": labels},
            "spec": pod_spec(self.names.root, self.name, self.spec, self.work, None),
        }
        return {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {
                "name": self.name,
                "labels": labels | ({_KUEUE_QUEUE: queue} if queue else {}),
                "ownerReferences": [owner],
            },
            "spec": {
                "suspend": queue is not None,  # until Kueue admits it
                "completionMode": "Indexed",
                "completions": self.spec.nodes.count,
                "parallelism": self.spec.nodes.count,
                "backoffLimit": 0,
                "podReplacementPolicy": "Failed",
                "podFailurePolicy": {
                    "rules": [{"action": "FailJob", "onPodConditions": [disrupted]}]
                },
                "template": template,
            },
        }

    def secret(self, owner: Json, values: Mapping[str, str]) -> Json:
        """Returns the Secret of the attempt.

        Args:
            owner: The first Pod, or the Job.
            values: `key`, and the user's secrets by name.
        """
        return {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "Opaque",
            "metadata": {
                "name": self.name,
                "labels": _labels(self.names, self.token),
                "ownerReferences": [owner],
            },
            "stringData": dict(values),
        }


def owner(found: Json) -> Json:
    """Returns the reference by which another object is owned by `found`."""
    return {
        "apiVersion": found["apiVersion"],
        "kind": found["kind"],
        "name": found["metadata"]["name"],
        "uid": found["metadata"]["uid"],
        "blockOwnerDeletion": True,
    }


def _labels(names: Names, token: str | None = None) -> Json:
    labels = {"app.kubernetes.io/managed-by": "orchestrate", EXPERIMENT: names.root}
    return labels if token is None else {**labels, ATTEMPT: token}
