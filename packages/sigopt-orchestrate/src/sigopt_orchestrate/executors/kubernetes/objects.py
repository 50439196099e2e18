"""Makes, marks and deletes an experiment's objects; every call asks the cluster and may fail."""

import json
import os
import secrets
import threading
from dataclasses import dataclass, field
from typing import Any

from sigopt_orchestrate.executors.executor import Work
from sigopt_orchestrate.executors.kubernetes import manifests
from sigopt_orchestrate.executors.kubernetes.cluster import ApiError, Cluster
from sigopt_orchestrate.executors.kubernetes.discovery import Forms
from sigopt_orchestrate.executors.kubernetes.forms import JOB
from sigopt_orchestrate.executors.kubernetes.manifests import (
    AttemptObjects,
    Names,
    owner,
    unheard_of,
)
from sigopt_orchestrate.executors.kubernetes.pods import ATTEMPT, EXPERIMENT
from sigopt_orchestrate.executors.kubernetes.training_runs import TrainingRuns
from sigopt_orchestrate.spec import Experiment
from sigopt_orchestrate.worker import PARAMETERS

Json = dict[str, Any]


@dataclass
class Objects:
    """The objects of one experiment in its namespace.

    Creating says that it is done where it was done before, by whatever leader; deleting where
    there is nothing. So a request whose answer was lost is simply made again.

    Attributes:
        cluster: The namespace.
        names: What they are called.
        spec: The experiment.
        runs: Where each attempt gets a training run, if the experiment names a server.
        forms: What attempts are given to the cluster as.
    """

    cluster: Cluster
    names: Names
    spec: Experiment
    runs: TrainingRuns | None = None
    forms: Forms = field(init=False)
    _root_reference: Json | None = field(default=None, init=False)
    _root_lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def __post_init__(self) -> None:
        self.forms = Forms(self.cluster, self.spec)

    def create(self, name: str, token: str, work: Work) -> None:
        """Creates all objects of an attempt.

        Args:
            name: What they are called.
            token: The attempt's.
            work: What it executes.

        Raises:
            ApiError: If the cluster refuses, or somebody else's object has a name.
        """
        form = self.forms.used
        if (said := self.forms.impossible) is not None:
            raise ApiError(422, "Impossible", said)
        objects, root = AttemptObjects(self.names, name, token, self.spec, work), self._root()
        if form is None:
            made = self._ensure("pods", objects.pod(0, root), token)
        else:
            wanted = objects.holder(form, root)
            made = self._ensure(form.plural, wanted, token, group=form.api)
            if form != JOB and (said := unheard_of(wanted, made)):
                raise ApiError(422, "Outdated", said)
        first = owner(made)
        values = {secret: os.environ.get(secret, "") for secret in work.secrets}
        if self.runs is not None:
            assignments = json.loads(work.env[PARAMETERS])
            values |= self.runs.open(name, assignments, work.timeouts)
        self._ensure("secrets", objects.secret(first, values | _key()), token)
        for rank in range(1, self.spec.nodes.count if form is None else 0):
            self._ensure("pods", objects.pod(rank, first), token)

    def is_whole(self, name: str, pods: int) -> bool:
        """Whether all objects of an attempt were created, of which the watch shows so many pods.

        Raises:
            ApiError: If the cluster does not say.
        """
        if self.forms.used is None and pods < self.spec.nodes.count:
            return False
        try:
            self.cluster.call("GET", self.cluster.path("secrets", name))
        except ApiError as error:
            if error.status != 404:
                raise
            return False
        return True

    def complaint(self, name: str) -> str | None:
        """Returns what the cluster last said of why an attempt's Job gets no pods.

        Raises:
            ApiError: If the cluster does not say.
        """
        form = self.forms.used or JOB
        subjects = {f"{name}{form.maker}": "Job", name: form.kind}
        try:
            said = [one for subject in subjects.items() for one in self._warnings(*subject)]
        except ApiError as error:
            if error.status == 403:  # only a wish, see `rights`
                return None
            raise
        latest = max(said, key=_said_at, default=None)
        return None if latest is None else str(latest["message"])

    def _warnings(self, name: str, kind: str) -> list[Json]:
        about = f"involvedObject.kind={kind},involvedObject.name={name},type=Warning"
        query = {"fieldSelector": about}
        said = self.cluster.call("GET", self.cluster.path("events"), None, query)
        return list(said["items"])

    def delete(self, token: str, grace_s: int | None) -> None:
        """Deletes an attempt's Job and pods, and with them what they own.

        Args:
            token: The attempt's.
            grace_s: How long its processes get to end; None for as long as the pods say.

        Raises:
            ApiError: If the cluster refuses.
        """
        query = {"labelSelector": f"{EXPERIMENT}={self.names.root},{ATTEMPT}={token}"}
        for form in self.forms.known:
            path = self.cluster.path(form.plural, group=form.api)
            self._delete(path, {"propagationPolicy": "Background"}, query)
        body = {} if grace_s is None else {"gracePeriodSeconds": grace_s}
        self._delete(self.cluster.path("pods"), body, query)

    def delete_at_once(self, pod: str) -> None:
        """Deletes a pod whether or not its node confirms that it has ended.

        Raises:
            ApiError: If the cluster refuses.
        """
        self._delete(self.cluster.path("pods", pod), {"gracePeriodSeconds": 0})

    def delete_root(self) -> None:
        """Deletes all that there is of the experiment.

        Raises:
            ApiError: If the cluster refuses.
        """
        root = self.cluster.path("configmaps", self.names.root)
        # In the foreground a pod's Secret would go before the pod, which its kubelet takes ill.
        self._delete(root, {"propagationPolicy": "Background"})

    def annotate(self, pod: str, name: str, value: str) -> None:
        """Tells a pod something.

        Raises:
            ApiError: If the cluster refuses.
        """
        body = {"metadata": {"annotations": {name: value}}}
        self.cluster.call("PATCH", self.cluster.path("pods", pod), body)

    def _root(self) -> Json:
        """Returns the reference to the experiment's root, which is made if it is not there."""
        with self._root_lock:
            if self._root_reference is None:
                root = manifests.root(self.names, self.spec)
                found = self._ensure("configmaps", root, None)
                if found.get("data") != root["data"]:  # an older orchestrate has made it
                    path = self.cluster.path("configmaps", self.names.root)
                    found = self.cluster.call("PATCH", path, {"data": root["data"]})
                self._root_reference = owner(found)
            return self._root_reference

    def _ensure(self, kind: str, manifest: Json, token: str | None, *, group: str = "") -> Json:
        """Creates an object, or finds that it is there and ours."""
        name = manifest["metadata"]["name"]
        try:
            return self.cluster.call("POST", self.cluster.path(kind, group=group), manifest)
        except ApiError as error:
            if error.status != 409 or error.reason != "AlreadyExists":
                raise
        found = self.cluster.call("GET", self.cluster.path(kind, name, group=group))
        labels = found["metadata"].get("labels", {})
        if labels.get(EXPERIMENT) != self.names.root or labels.get(ATTEMPT) != token:
            raise ApiError(
                422,
                "Foreign",
                f"{kind[:-1]} {name!r} of namespace {self.cluster.namespace} exists already and "
                "belongs to somebody else; delete or rename it",
            )
        return found

    def _delete(self, path: str, body: Json, query: Json | None = None) -> None:
        try:
            self.cluster.call("DELETE", path, body, query)
        except ApiError as error:
            if error.status != 404:
                raise


def _said_at(event: Json) -> str:
    return str(event.get("lastTimestamp") or event.get("eventTime") or "")


def _key() -> dict[str, str]:
    """Returns the attempt's key, by which the nodes of a gang know each other."""
    return {"key": secrets.token_hex(32)}
