"""Runs attempts as pods; what it knows of them, it knows from one watch."""

import contextlib
import json
import logging
import os
import secrets
import threading
import time
from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from typing import Any

from sigopt_orchestrate.executors.executor import Attempt, Work
from sigopt_orchestrate.executors.kubernetes import manifests
from sigopt_orchestrate.executors.kubernetes.cluster import ApiError, Cluster
from sigopt_orchestrate.executors.kubernetes.diagnosis import diagnose, last_word, pending_reason
from sigopt_orchestrate.executors.kubernetes.logs import Logs
from sigopt_orchestrate.executors.kubernetes.manifests import AttemptObjects, Names, owner
from sigopt_orchestrate.executors.kubernetes.pod.places import HOSTS_ANNOTATION, STOP_ANNOTATION
from sigopt_orchestrate.executors.kubernetes.pods import ATTEMPT, EXPERIMENT, Pod
from sigopt_orchestrate.executors.kubernetes.requests import Requests
from sigopt_orchestrate.executors.kubernetes.watch import PodWatch
from sigopt_orchestrate.executors.presence import (
    Absent,
    Ended,
    Exit,
    Lost,
    Presence,
    Running,
    Starting,
)
from sigopt_orchestrate.executors.supervisor import wake, write_whole
from sigopt_orchestrate.store import AttemptFolder, ExperimentFolder, ExperimentRecord

_log = logging.getLogger(__name__)

_THREADS = 8
_LOG_PATIENCE_S = 10.0
_UNSEEN_S = 30.0  # after so long a created pod that the watch does not show is no more
_CLOSE_S = 20.0
_KILL_PATIENCE_S = 5.0
JOBS_FROM = (1, 29)  # podReplacementPolicy and podFailurePolicy are on by default


@dataclass
class _Task:
    """What this leader has done about one attempt.

    Attributes:
        name: What the attempt's objects are called.
        submitted: Whether this leader has asked for its objects.
        adopted: Whether it has looked if an earlier leader created them all.
        created_at: When all its objects were there, on the monotonic clock.
        waits_for: Why they are not there yet.
        refused: Why they never will be.
        cancelled: Whether they must no longer be created.
        ours: Whether we have asked for its end.
        killed_at: When we have asked for its end without grace, on the monotonic clock.
        started: Whether a gang has been told to begin.
        stop_said: Whether it has been told that it may end early.
        over_since: When its end was first seen, while its log is awaited.
        place: What `place.json` holds.
    """

    name: str
    submitted: bool = False
    adopted: bool = False
    created_at: float | None = None
    waits_for: str | None = None
    refused: str | None = None
    cancelled: bool = False
    ours: bool = False
    killed_at: float | None = None
    started: bool = False
    stop_said: bool = False
    over_since: float | None = None
    place: dict[str, Any] = field(default_factory=dict)


class KubernetesExecutor:
    """One experiment's attempts in a namespace of a cluster.

    Submitting and ending are requests that are made beside the loop, again and again while the
    cluster is out of reach; `find` asks the cluster nothing.
    """

    def __init__(
        self, experiment: ExperimentRecord, folder: ExperimentFolder, cluster: Cluster
    ) -> None:
        """Makes the executor and begins to watch.

        Args:
            experiment: Whose attempts it runs.
            folder: Where the experiment's files lie.
            cluster: Where its pods go.
        """
        self._spec = experiment.spec
        self._folder = folder
        self._cluster = cluster
        self._names = Names.of(experiment)
        self._root_reference: dict[str, Any] | None = None
        self._root_lock = threading.Lock()
        self._tasks: dict[str, _Task] = {}
        self._attempts: dict[str, Attempt] = {}
        self._wanted: set[str] | None = None
        self._swept: set[str] = set()
        hidden = tuple(os.environb.get(os.fsencode(name), b"") for name in experiment.spec.secrets)
        self._logs = Logs(cluster, hidden)
        self._requests = Requests(_THREADS)
        self._watch = PodWatch(cluster, self._names.root, self._hint)
        self._watch.start()

    def submit(self, attempt: Attempt, work: Work) -> None:
        """Has the attempt's objects created; whether that came about is found later."""
        attempt.folder.root.mkdir(parents=True, exist_ok=True)
        task = self._task(attempt)
        task.submitted = True

        def create() -> None:
            if not task.cancelled:
                self._create(attempt, task, work)
                task.created_at, task.waits_for = time.monotonic(), None
                self._hint(attempt.token)

        def refused(error: ApiError) -> bool:
            if task.cancelled:
                return False
            quota = error.status == 403 and "exceeded quota" in error.message
            again = error.may_pass or quota or error.status == 409
            if again:
                task.waits_for = error.message
            else:
                task.refused = error.message
                self._delete_pods(attempt.token, 0)  # nothing stays half-made
                self._hint(attempt.token)
            return again

        self._requests.add(create, refused)

    def find(self, attempt: Attempt) -> Presence:
        """Says what the watch has seen of the attempt."""
        record = _read_exit(attempt.folder)
        if record is not None:
            return Ended(record)
        task = self._task(attempt)
        if task.refused is not None:
            return self._record(
                attempt, Exit(None, error=f"the cluster refuses it: {task.refused}")
            )
        waited_s = 0.0 if task.killed_at is None else time.monotonic() - task.killed_at
        if waited_s > _KILL_PATIENCE_S and self._watch.trouble is not None:
            return Lost(f"the cluster does not answer: {self._watch.trouble}")
        here, gone = self._watch.pods(attempt.token)
        found = diagnose(here, gone, self._spec.nodes.count, ours=task.ours)
        if found is None:
            return self._without_pods(attempt, task)
        self._note_place(attempt.folder, task, here)
        if not task.submitted and isinstance(found, Starting):
            self._adopt(attempt, task)
        for pod in here:
            if pod.running or pod.over:
                self._follow(attempt, pod)
        match found:
            case Running():
                self._tend(attempt, task, here, gone)
            case Ended():
                return self._conclude(attempt, task, found, [*here, *gone])
            case Lost():
                self._delete_silent(here)
        return found

    def end(self, attempt: Attempt) -> None:
        """Has the attempt's pods deleted, which asks its command to end."""
        task = self._task(attempt)
        task.cancelled = True
        if not task.ours:
            task.ours = True
            self._delete_pods(attempt.token, None)

    def kill(self, attempt: Attempt) -> None:
        """Has the attempt's pods deleted whether or not their nodes answer."""
        task = self._task(attempt)
        task.cancelled = True
        if task.killed_at is None:
            task.killed_at = time.monotonic()
            self._delete_pods(attempt.token, 0)

    def retain(self, tokens: Collection[str]) -> None:
        """Has all objects deleted that belong to none of these attempts."""
        self._wanted = set(tokens)
        known = {*self._tasks, *self._watch.attempts()} - self._wanted - self._swept
        for token in known:
            self._swept.add(token)
            here, gone = self._watch.pods(token)
            task = self._tasks.pop(token, None)
            self._attempts.pop(token, None)
            self._logs.forget([pod.name for pod in (*here, *gone)])
            self._watch.forget(token)
            if task is not None:
                task.cancelled = True
            self._delete_pods(token, None)

    def close(self) -> None:
        """Stops watching; deletes the experiment's root if nothing is left to run."""
        if self._wanted is not None and not self._wanted:
            root = self._cluster.path("configmaps", self._names.root)
            self._request("DELETE", root, {"propagationPolicy": "Foreground"})
        self._requests.drain(_CLOSE_S)
        self._requests.close()
        self._logs.close()
        self._watch.close()

    def _task(self, attempt: Attempt) -> _Task:
        self._attempts[attempt.token] = attempt
        if attempt.token not in self._tasks:
            folder = attempt.folder
            self._tasks[attempt.token] = _Task(self._names.attempt(folder.trial, folder.number))
        return self._tasks[attempt.token]

    def _hint(self, token: str) -> None:
        """Wakes the loop to look at an attempt; called from any thread."""
        attempt = self._attempts.get(token)
        folder = attempt.folder if attempt is not None else None
        wake(self._folder.wake, f"{folder.trial}/{folder.number}" if folder is not None else "")

    def _create(self, attempt: Attempt, task: _Task, work: Work) -> None:
        objects = AttemptObjects(self._names, task.name, attempt.token, self._spec, work)
        token, root = attempt.token, self._root()
        jobs = self._cluster.version >= JOBS_FROM
        if jobs:
            job = objects.job(root)
            first = owner(self._ensure("jobs", job, token, group="batch/v1"))
        else:
            first = owner(self._ensure("pods", objects.pod(0, root), token))
        values = {name: os.environ.get(name, "") for name in work.secrets}
        secret = objects.secret(first, {**values, "key": secrets.token_hex(32)})
        self._ensure("secrets", secret, token)
        for rank in range(1, 0 if jobs else self._spec.nodes.count):
            self._ensure("pods", objects.pod(rank, first), token)

    def _root(self) -> dict[str, Any]:
        """Returns the reference to the experiment's root, which is made if it is not there."""
        with self._root_lock:
            if self._root_reference is None:
                root = manifests.root(self._names, self._spec)
                found = self._ensure("configmaps", root, None)
                if found.get("data") != root["data"]:  # an older orchestrate has made it
                    path = self._cluster.path("configmaps", self._names.root)
                    found = self._cluster.call("PATCH", path, {"data": root["data"]})
                self._root_reference = owner(found)
            return self._root_reference

    def _ensure(
        self, kind: str, manifest: dict[str, Any], token: str | None, *, group: str = ""
    ) -> dict[str, Any]:
        """Creates an object, or finds that it is there and ours.

        Raises:
            ApiError: If the cluster refuses, or somebody else's object has the name.
        """
        name = manifest["metadata"]["name"]
        try:
            return self._cluster.call("POST", self._cluster.path(kind, group=group), manifest)
        except ApiError as error:
            if error.status != 409 or error.reason != "AlreadyExists":
                raise
        found = self._cluster.call("GET", self._cluster.path(kind, name, group=group))
        labels = found["metadata"].get("labels", {})
        if labels.get(EXPERIMENT) != self._names.root or labels.get(ATTEMPT) != token:
            raise ApiError(
                422,
                "Foreign",
                f"{kind[:-1]} {name!r} of namespace {self._cluster.namespace} exists already and "
                "belongs to somebody else; delete or rename it",
            )
        return found

    def _without_pods(self, attempt: Attempt, task: _Task) -> Presence:
        """What to say of an attempt that has no pods and, as far as we know, never had any."""
        if task.cancelled and task.submitted and not task.created_at:
            return Absent(task.waits_for)
        if not self._watch.synced:
            return Starting(self._watch.trouble)
        if task.cancelled:
            return Absent(task.waits_for)
        if task.created_at is not None:
            fresh = time.monotonic() - task.created_at < _UNSEEN_S
            return Starting(task.waits_for) if fresh else Absent("its pod has vanished")
        if task.submitted:
            return Starting(task.waits_for)
        return Lost("its pod is gone") if attempt.folder.place.exists() else Absent()

    def _tend(self, attempt: Attempt, task: _Task, here: list[Pod], gone: list[Pod]) -> None:
        """Does for a running attempt what it needs from us."""
        if gone or any(pod.over for pod in here):
            if len(here) + len(gone) > 1 and not task.cancelled:  # a gang is all or nothing
                task.cancelled = True
                self._delete_pods(attempt.token, None)
            return
        if self._spec.nodes.count > 1 and not task.started:
            task.started = True
            hosts = ",".join(pod.ip or "" for pod in here)
            self._annotate(here[0], HOSTS_ANNOTATION, hosts)
        if not task.stop_said and attempt.folder.stop.exists():
            task.stop_said = True
            self._annotate(here[0], STOP_ANNOTATION, "1")

    def _adopt(self, attempt: Attempt, task: _Task) -> None:
        """Gives up what an earlier leader did not create whole, before it was killed."""
        if task.adopted or task.cancelled:
            return
        task.adopted = True
        created = 1 if self._cluster_has_jobs() else self._spec.nodes.count
        here, _ = self._watch.pods(attempt.token)

        def look() -> None:
            try:
                self._cluster.call("GET", self._cluster.path("secrets", task.name))
            except ApiError as error:
                if error.status != 404:
                    raise
            else:
                if len(here) >= created:
                    return
            task.cancelled = True
            self._delete_pods(attempt.token, None)

        self._requests.add(look, _if_passing)

    def _conclude(self, attempt: Attempt, task: _Task, found: Ended, pods: list[Pod]) -> Presence:
        """Waits for the log's end, then keeps the report and the record."""
        now = time.monotonic()
        task.over_since = task.over_since or now
        read = [self._follow(attempt, pod) for pod in pods if pod.terminated is not None]
        if not all(read) and now - task.over_since < _LOG_PATIENCE_S:
            return Running()
        first = next((pod for pod in pods if pod.rank == 0), None)
        word = last_word(first) if first is not None else None
        if word is not None and word.report is not None:
            metrics = attempt.folder.metrics
            if not metrics.exists() or metrics.stat().st_size < word.size:
                metrics.write_bytes(word.report.encode(errors="surrogateescape"))
        return self._record(attempt, found.exit)

    def _record(self, attempt: Attempt, record: Exit) -> Ended:
        write_whole(attempt.folder.exit, asdict(record))
        return Ended(record)

    def _follow(self, attempt: Attempt, pod: Pod) -> bool:
        count = self._spec.nodes.count
        return self._logs.follow(pod.name, attempt.folder, pod.rank, count, over=pod.over)

    def _note_place(self, folder: AttemptFolder, task: _Task, pods: list[Pod]) -> None:
        """Writes where the attempt is and what it waits for, for `status` and `top`."""
        waits_for = next((said for pod in pods if (said := pending_reason(pod))), None)
        place = {
            "namespace": self._cluster.namespace,
            "pods": [{"name": pod.name, "node": pod.node, "phase": pod.phase} for pod in pods],
            "waits_for": waits_for,
        }
        if place != task.place:
            task.place = place
            if waits_for is not None:
                task.waits_for = waits_for
            folder.root.mkdir(parents=True, exist_ok=True)
            write_whole(folder.place, place)

    def _annotate(self, pod: Pod, name: str, value: str) -> None:
        body = {"metadata": {"annotations": {name: value}}}
        path = self._cluster.path("pods", pod.name)
        self._requests.add(lambda: _discard(self._cluster.call("PATCH", path, body)), _if_passing)

    def _delete_silent(self, pods: list[Pod]) -> None:
        """Deletes pods whose nodes do not answer, and so cannot confirm that they have ended."""
        for pod in pods:
            if pod.node_silent:
                self._request(
                    "DELETE", self._cluster.path("pods", pod.name), {"gracePeriodSeconds": 0}
                )

    def _delete_pods(self, token: str, grace_s: int | None) -> None:
        query = {"labelSelector": f"{EXPERIMENT}={self._names.root},{ATTEMPT}={token}"}
        if self._cluster_has_jobs():
            jobs = self._cluster.path("jobs", group="batch/v1")
            self._request("DELETE", jobs, {"propagationPolicy": "Background"}, query)
        body = {} if grace_s is None else {"gracePeriodSeconds": grace_s}
        self._request("DELETE", self._cluster.path("pods"), body, query)

    def _cluster_has_jobs(self) -> bool:
        with contextlib.suppress(ApiError):
            return self._cluster.version >= JOBS_FROM
        return False

    def _request(
        self,
        method: str,
        path: str,
        body: dict[str, Any],
        query: dict[str, Any] | None = None,
    ) -> None:
        def make() -> None:
            try:
                self._cluster.call(method, path, body, query)
            except ApiError as error:
                if error.status != 404:
                    raise

        self._requests.add(make, _if_passing)


def _if_passing(error: ApiError) -> bool:
    if not error.may_pass:
        _log.warning("the cluster refuses: %s", error.message)
    return error.may_pass


def _discard(_answer: object) -> None:
    """A request whose answer says nothing that the watch does not."""


def _read_exit(folder: AttemptFolder) -> Exit | None:
    try:
        return Exit(**json.loads(folder.exit.read_bytes()))
    except (FileNotFoundError, ValueError):
        return None
