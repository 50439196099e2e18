"""The objects that an experiment consists of in its cluster, as plain mappings.

    ConfigMap orc-E-xxxxx            the experiment's root: holds the pods' code, and owns
      Pod     orc-E-xxxxx-T-K-0      an attempt's first node, which owns
        Pod     orc-E-xxxxx-T-K-R    its other nodes, and
        Secret  orc-E-xxxxx-T-K      its key and secrets
      Job     orc-E-xxxxx-T-K        in place of the pods, where the server is new enough; a gang's
                                     may be a JobSet or an MPIJob

Deleting an owner deletes what it owns. A Secret is owned by those that mount it, and not the other
way round: the kubelet of 1.20 cannot end a pod for two minutes whose Secret went first.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sigopt_orchestrate.executors.executor import Work
from sigopt_orchestrate.executors.kubernetes.forms import JOBSET, REPLICATED, Form
from sigopt_orchestrate.executors.kubernetes.pod.places import SSH
from sigopt_orchestrate.executors.kubernetes.pod_spec import BY_NAME, pod_files, pod_spec
from sigopt_orchestrate.executors.kubernetes.pods import ATTEMPT, EXPERIMENT, RANK
from sigopt_orchestrate.spec import Experiment, Kubernetes
from sigopt_orchestrate.store import ExperimentRecord

Json = dict[str, Any]

_KUEUE_QUEUE = "kueue.x-k8s.io/queue-name"
_EXCLUSIVE = "alpha.jobset.sigs.k8s.io/exclusive-topology"
_MANAGED = {"app.kubernetes.io/managed-by": "orchestrate"}


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

    def holder(self, form: Form, owner: Json) -> Json:
        """Returns the object that holds the attempt's pods, for Kubernetes 1.29 and newer.

        Whatever its kind, it starts no trial again: whether one that has lost a pod runs once more
        is for us to say, as another attempt.

        Args:
            form: Its kind.
            owner: The root.
        """
        backend = self._backend
        makers = {"Job": self._job, "JobSet": self._jobset, "MPIJob": self._mpijob}
        metadata: Json = {
            "name": self.name,
            "labels": _labels(self.names, self.token)
            | ({_KUEUE_QUEUE: backend.queue} if backend.queue else {}),
            "ownerReferences": [owner],
        }
        if form == JOBSET and backend.exclusive_topology is not None:
            metadata["annotations"] = {_EXCLUSIVE: backend.exclusive_topology}
        return {
            "apiVersion": form.api,
            "kind": form.kind,
            "metadata": metadata,
            "spec": makers[form.kind](),
        }

    def _job(self) -> Json:
        disrupted = {"type": "DisruptionTarget", "status": "True"}
        return {
            "suspend": self._queued,
            "completionMode": "Indexed",
            "completions": self.spec.nodes.count,
            "parallelism": self.spec.nodes.count,
            "backoffLimit": 0,
            "podReplacementPolicy": "Failed",
            "podFailurePolicy": {"rules": [{"action": "FailJob", "onPodConditions": [disrupted]}]},
            "template": self._template(None),
        }

    def _jobset(self) -> Json:
        job = self._job()
        del job["suspend"]  # the set's is handed down
        return {
            "suspend": self._queued,
            "network": {"enableDNSHostnames": False},  # the pods are told each other's addresses
            "failurePolicy": {"maxRestarts": 0},
            "replicatedJobs": [
                {
                    "name": REPLICATED,
                    "replicas": 1,
                    "template": {"metadata": {"labels": _MANAGED}, "spec": job},
                }
            ],
        }

    def _mpijob(self) -> Json:
        """The launcher is the first node; as all have a command of ours, none runs sshd."""
        mpi, others = self.spec.nodes.mpi, self.spec.nodes.count - 1
        return {
            "slotsPerWorker": mpi.slots if mpi else 1,
            "runLauncherAsWorker": True,
            "sshAuthMountPath": SSH,
            "runPolicy": {"suspend": self._queued, "backoffLimit": 0, "cleanPodPolicy": "None"},
            "mpiReplicaSpecs": {
                "Launcher": _replicas(1, self._template(0)),
                "Worker": _replicas(others, self._template(BY_NAME)),
            },
        }

    def _template(self, rank: int | str | None) -> Json:
        return {
            "metadata": {"labels": _labels(self.names, self.token)},
            "spec": pod_spec(self.names.root, self.name, self.spec, self.work, rank),
        }

    @property
    def _backend(self) -> Kubernetes:
        assert self.spec.backend is not None  # noqa: S101 - whoever chose this executor has looked
        return self.spec.backend.kubernetes

    @property
    def _queued(self) -> bool:
        """Whether nothing may start until Kueue admits it."""
        return self._backend.queue is not None

    def secret(self, owner: Json, values: Mapping[str, str]) -> Json:
        """Returns the Secret of the attempt.

        Args:
            owner: The first Pod, or what holds all pods.
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


def unheard_of(wanted: Json, made: Json) -> str | None:
    """Returns what a cluster has left out of an object, as old definitions do; None if nothing."""
    dropped = wanted["spec"].keys() - made["spec"].keys()
    if not dropped:
        return None
    kind = wanted["kind"]
    return f"the cluster's {kind} is too old: it does not know {', '.join(sorted(dropped))}"


def _replicas(count: int, template: Json) -> Json:
    return {"replicas": count, "restartPolicy": "Never", "template": template}


def _labels(names: Names, token: str | None = None) -> Json:
    labels = {**_MANAGED, EXPERIMENT: names.root}
    return labels if token is None else {**labels, ATTEMPT: token}
