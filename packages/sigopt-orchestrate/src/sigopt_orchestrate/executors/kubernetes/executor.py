"""Runs attempts as pods; what it knows of them, it knows by watching them."""

import time
from collections.abc import Callable, Collection
from functools import partial

from sigopt_orchestrate.artifacts.keeper import Keeper
from sigopt_orchestrate.executors.executor import Attempt, Work
from sigopt_orchestrate.executors.kubernetes.cluster import ApiError, Cluster
from sigopt_orchestrate.executors.kubernetes.couriers import Couriers
from sigopt_orchestrate.executors.kubernetes.diagnosis import diagnose, pending_reason
from sigopt_orchestrate.executors.kubernetes.jobs import diagnose_job
from sigopt_orchestrate.executors.kubernetes.keeping import (
    had_pods,
    keep_exit,
    keep_place,
    keep_report,
    place_of,
)
from sigopt_orchestrate.executors.kubernetes.logs import Logs
from sigopt_orchestrate.executors.kubernetes.manifests import Names
from sigopt_orchestrate.executors.kubernetes.objects import Objects
from sigopt_orchestrate.executors.kubernetes.observing import Observer
from sigopt_orchestrate.executors.kubernetes.pod.places import HOSTS_ANNOTATION, STOP_ANNOTATION
from sigopt_orchestrate.executors.kubernetes.pods import Pod
from sigopt_orchestrate.executors.kubernetes.requests import Requests, has_to_wait, if_passing
from sigopt_orchestrate.executors.kubernetes.tasks import Task
from sigopt_orchestrate.executors.kubernetes.training_runs import runs_of
from sigopt_orchestrate.executors.presence import (
    Absent,
    Ended,
    Exit,
    Lost,
    Presence,
    Running,
    Starting,
)
from sigopt_orchestrate.executors.records import read_exit
from sigopt_orchestrate.executors.supervisor import wake
from sigopt_orchestrate.store import AttemptFolder, ExperimentFolder, ExperimentRecord

_LOG_PATIENCE_S = 10.0
_UNSEEN_S = 30.0  # after so long a created pod that the watch does not show is no more
_CLOSE_S = 20.0
_KILL_PATIENCE_S = 5.0
_SWEEP_AGAIN_S = 30.0


class KubernetesExecutor:
    """One experiment's attempts in a namespace of a cluster.

    Submitting and ending are requests that are made beside the loop, again and again while the
    cluster is out of reach; `find` asks the cluster nothing.
    """

    def __init__(
        self,
        experiment: ExperimentRecord,
        folder: ExperimentFolder,
        cluster: Cluster,
        keeper: Keeper | None = None,
    ) -> None:
        """Makes the executor and begins to watch.

        Args:
            experiment: Whose attempts it runs.
            folder: Where the experiment's files lie.
            cluster: Where its pods go.
            keeper: Of its artifacts, if it keeps any.
        """
        self._spec = experiment.spec
        self._folder = folder
        self._cluster = cluster
        self._names = Names.of(experiment)
        self._runs = runs_of(experiment.spec)
        self._objects = Objects(cluster, self._names, experiment.spec, self._runs)
        self._tasks: dict[str, Task] = {}
        self._attempts: dict[str, Attempt] = {}
        self._wanted: set[str] | None = None
        self._swept: dict[str, float] = {}
        asked = Couriers(keeper, self._objects, self._request).hear if keeper else None
        self._logs = Logs(cluster, experiment.spec.secrets, asked)
        self._requests = Requests()
        self._seen = Observer(cluster, self._objects.forms, self._names.root, self._hint)

    def submit(self, attempt: Attempt, work: Work) -> None:
        """Has the attempt's objects created; whether that came about is found later."""
        attempt.folder.root.mkdir(parents=True, exist_ok=True)
        task = self._task(attempt)
        task.submitted = True

        def create() -> None:
            if not task.cancelled:
                self._objects.create(task.name, attempt.token, work)
                task.created_at, task.waits_for = time.monotonic(), None
                self._hint(attempt.token)

        def refused(error: ApiError) -> bool:
            if task.cancelled:
                return False
            again = has_to_wait(error)
            if again:
                task.waits_for = error.message
            else:
                task.refused = error.message
                self._delete(attempt.token, 0)  # nothing stays half-made
                self._hint(attempt.token)
            return again

        self._requests.add(create, refused)

    def find(self, attempt: Attempt) -> Presence:
        """Says what the watch has seen of the attempt."""
        if (record := read_exit(attempt.folder)) is not None:
            return Ended(record)
        task = self._task(attempt)
        if task.refused is not None:
            refused = Exit(None, error=f"the cluster refuses it: {task.refused}")
            return keep_exit(attempt.folder, refused)
        waited_s = 0.0 if task.killed_at is None else time.monotonic() - task.killed_at
        if waited_s > _KILL_PATIENCE_S and self._seen.trouble is not None:
            return Lost(f"the cluster does not answer: {self._seen.trouble}")
        here, gone = self._seen.pods(attempt.token)
        found = diagnose(here, gone, self._spec.nodes.count, ours=task.ours)
        if found is None:
            found = self._without_pods(attempt, task)
            if isinstance(found, Starting) and found.reason and self._seen.synced:
                self._note_place(attempt.folder, task, [], found.reason)
            return found
        waits_for = next((said for pod in here if (said := pending_reason(pod))), None)
        if isinstance(found, Starting) and len(here) < self._spec.nodes.count:
            waits_for = waits_for or self._ask_why(attempt, task)
        self._note_place(attempt.folder, task, here, waits_for)
        for pod in here:
            if pod.running or pod.over:
                self._follow(attempt, pod)
        match found:
            case Starting():
                self._adopt(attempt, task)
                self._hasten(task, here)
            case Running():
                self._tend(attempt, task, here, gone)
            case Ended():
                return self._conclude(attempt, task, found, [*here, *gone])
            case Lost():
                self._delete_at_once([pod for pod in here if pod.node_silent])
        return found

    def end(self, attempt: Attempt) -> None:
        """Has the attempt's pods deleted, which asks its command to end."""
        task = self._task(attempt)
        task.cancelled = True
        if not task.ours:
            task.ours = True
            self._delete(attempt.token, None)

    def kill(self, attempt: Attempt) -> None:
        """Has the attempt's pods deleted whether or not their nodes answer."""
        task = self._task(attempt)
        task.cancelled = True
        if task.killed_at is None:
            task.killed_at = time.monotonic()
            self._delete(attempt.token, 0)

    def retain(self, tokens: Collection[str]) -> None:
        """Has all objects deleted that belong to none of these attempts."""
        self._wanted = set(tokens)
        now = time.monotonic()
        for token in {*self._tasks, *self._seen.attempts()} - self._wanted:
            # Once is not enough if a request was under way, or the node does not answer.
            again = token in self._swept
            if again and now - self._swept[token] < _SWEEP_AGAIN_S + self._spec.timeouts.grace_s:
                continue
            self._swept[token] = now
            self._logs.forget([pod.name for pod in self._seen.forget(token)])
            self._attempts.pop(token, None)
            if (task := self._tasks.pop(token, None)) is not None:
                task.cancelled = True
                if self._runs is not None:
                    self._request(partial(self._runs.close, task.name))
            self._delete(token, 0 if again else None)

    def close(self) -> None:
        """Stops watching; deletes the experiment's root if nothing is left to run."""
        if self._wanted is not None and not self._wanted:
            self._request(self._objects.delete_root)
        self._requests.drain(_CLOSE_S)
        self._requests.close()
        self._logs.close()
        self._seen.close()

    def _task(self, attempt: Attempt) -> Task:
        self._attempts[attempt.token] = attempt
        if attempt.token not in self._tasks:
            folder = attempt.folder
            self._tasks[attempt.token] = Task(self._names.attempt(folder.trial, folder.number))
        return self._tasks[attempt.token]

    def _hint(self, token: str) -> None:
        """Wakes the loop to look at an attempt; called from any thread."""
        known = self._attempts.get(token)
        wake(self._folder.wake, f"{known.folder.trial}/{known.folder.number}" if known else "")

    def _without_pods(self, attempt: Attempt, task: Task) -> Presence:
        """What to say of an attempt that has no pods and, as far as we know, never had any."""
        if task.cancelled and task.submitted and not task.created_at:
            return Absent(task.waits_for)
        if not self._seen.synced:
            return Starting(self._seen.trouble)
        job = diagnose_job(*self._seen.jobs(attempt.token))
        if isinstance(job, Starting):
            self._adopt(attempt, task)
            return Starting(job.reason or self._ask_why(attempt, task))
        if job is not None:
            return job
        if task.cancelled:
            return Absent(task.waits_for)
        if task.created_at is not None:
            fresh = time.monotonic() - task.created_at < _UNSEEN_S
            return Starting(task.waits_for) if fresh else Absent("its pod has vanished")
        if task.submitted:
            return Starting(task.waits_for)
        return Lost("its pod is gone") if had_pods(attempt.folder) else Absent()

    def _tend(self, attempt: Attempt, task: Task, here: list[Pod], gone: list[Pod]) -> None:
        """Does for a running attempt what it needs from us."""
        if gone or any(pod.over for pod in here):
            if len(here) + len(gone) > 1 and not task.cancelled:  # a gang is all or nothing
                task.cancelled = True
                self._delete(attempt.token, None)
            return
        if self._spec.nodes.count > 1 and not task.started:
            task.started = True
            hosts = ",".join(pod.ip or "" for pod in here)
            self._request(partial(self._objects.annotate, here[0].name, HOSTS_ANNOTATION, hosts))
        if not task.stop_said and attempt.folder.stop.exists():
            task.stop_said = True
            self._request(partial(self._objects.annotate, here[0].name, STOP_ANNOTATION, "1"))

    def _adopt(self, attempt: Attempt, task: Task) -> None:
        """Gives up what an earlier leader did not create whole, before it was killed."""
        if task.submitted or task.adopted or task.cancelled:
            return
        task.adopted = True
        here, _ = self._seen.pods(attempt.token)

        def look() -> None:
            if not self._objects.is_whole(task.name, len(here)):
                task.cancelled = True
                self._objects.delete(attempt.token, None)

        self._request(look)

    def _conclude(self, attempt: Attempt, task: Task, found: Ended, pods: list[Pod]) -> Presence:
        """Waits for the log's end, then keeps the report and the record."""
        now = time.monotonic()
        task.over_since = task.over_since or now
        read = [self._follow(attempt, pod) for pod in pods if pod.terminated is not None]
        if not all(read) and now - task.over_since < _LOG_PATIENCE_S:
            return Running()
        keep_report(attempt.folder, pods)
        return keep_exit(attempt.folder, found.exit)

    def _follow(self, attempt: Attempt, pod: Pod) -> bool:
        count = self._spec.nodes.count
        last = pod.over or pod.deleting  # soon there will be no log to be had
        return self._logs.follow(pod.name, attempt.folder, pod.rank, count, last=last)

    def _note_place(
        self, folder: AttemptFolder, task: Task, pods: list[Pod], waits_for: str | None
    ) -> None:
        """Keeps where the attempt is and what it waits for, if that has changed."""
        place = place_of(self._spec, self._cluster.namespace, pods, waits_for)
        if place != task.place:
            task.place = place
            task.waits_for = waits_for or task.waits_for
            keep_place(folder, place)

    def _delete(self, token: str, grace_s: int | None) -> None:
        self._request(lambda: self._objects.delete(token, grace_s))

    def _hasten(self, task: Task, pods: list[Pod]) -> None:
        """Deletes pods that have been asked to go and have never run: their node does not do it."""
        going = [pod for pod in pods if pod.deleting and not pod.running and not pod.over]
        if task.lingers(going=bool(going)):
            self._delete_at_once(going)

    def _ask_why(self, attempt: Attempt, task: Task) -> str | None:
        """Returns why an attempt lacks pods, for which a Job's events are looked through."""
        if self._seen.jobs(attempt.token)[0] and task.is_puzzling():
            self._request(partial(task.ask_why, self._objects.complaint))
        return task.waits_for

    def _delete_at_once(self, pods: list[Pod]) -> None:
        """Deletes pods whose nodes do not confirm that they have ended."""
        for pod in pods:
            self._request(partial(self._objects.delete_at_once, pod.name))

    def _request(self, make: Callable[[], None]) -> None:
        self._requests.add(make, if_passing)
