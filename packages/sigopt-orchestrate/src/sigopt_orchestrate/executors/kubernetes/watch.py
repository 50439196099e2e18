"""The pods of an experiment as they are: listed once, then followed, and listed again in doubt."""

import json
import logging
import random
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from sigopt_orchestrate.executors.kubernetes.cluster import ApiError, Cluster
from sigopt_orchestrate.executors.kubernetes.pods import EXPERIMENT, Pod, read_pod

_log = logging.getLogger(__name__)

_PAGE = 500
_WATCH_S = 240  # the server ends a watch after so long; the next begins where it was
_IDLE_S = 90.0  # bookmarks come every minute: a watch that is silent for longer is dead
_RESYNC_S = 600.0
_RETRY_S = (0.25, 5.0)


class PodWatch:
    """Follows the pods with one label in a thread of its own.

    A watch may end, stall, lose its place (410) or lie after the server's restart; so its events
    only ever replace what is known of one pod, and everything is listed anew when the place is
    lost, and every ten minutes anyway.

    Args:
        cluster: Where they are.
        experiment: The label's value.
        changed: Called in the watch's thread with the attempt that something happened to.
    """

    def __init__(self, cluster: Cluster, experiment: str, changed: Callable[[str], None]) -> None:
        self._cluster = cluster
        self._selector = f"{EXPERIMENT}={experiment}"
        self._changed = changed
        self._lock = threading.Lock()
        self._pods: dict[str, dict[str, Pod]] = {}  # by attempt and name
        self._gone: dict[str, dict[str, Pod]] = {}  # as they last were
        self._listed = threading.Event()
        self._closed = threading.Event()
        self.listings = 0
        self.trouble: str | None = None
        self._thread = threading.Thread(target=self._run, name="pod watch", daemon=True)

    def start(self) -> None:
        """Begins to watch."""
        self._thread.start()

    @property
    def synced(self) -> bool:
        """Whether the pods have been listed at least once."""
        return self._listed.is_set()

    def pods(self, attempt: str) -> tuple[list[Pod], list[Pod]]:
        """Returns an attempt's pods, and those that were and are no more, each by rank."""
        with self._lock:
            here = list(self._pods.get(attempt, {}).values())
            gone = list(self._gone.get(attempt, {}).values())
        return sorted(here, key=_rank), sorted(gone, key=_rank)

    def attempts(self) -> set[str]:
        """Returns the attempts that have pods."""
        with self._lock:
            return set(self._pods)

    def forget(self, attempt: str) -> None:
        """Forgets what an attempt's pods were when they vanished."""
        with self._lock:
            self._gone.pop(attempt, None)

    def close(self) -> None:
        """Stops watching, at the next event at the latest."""
        self._closed.set()

    def _run(self) -> None:
        pause, version, listed_at = _RETRY_S[0], "", 0.0
        while not self._closed.is_set():
            try:
                if not version or time.monotonic() - listed_at > _RESYNC_S:
                    version, listed_at = self._list(), time.monotonic()
                for latest in self._follow(version):
                    version, pause = latest, _RETRY_S[0]
                    if self._closed.is_set():
                        return
                self.trouble = None
            except ApiError as error:
                if error.status == 410:
                    version = ""
                    continue
                if self.trouble is None and error.status != 0:
                    _log.warning("watching pods: %s", error.message)
                self.trouble = error.message
                self._closed.wait(pause * random.uniform(0.5, 1.0))  # noqa: S311 - no secret
                pause = min(_RETRY_S[1], 2 * pause)
            except Exception:  # noqa: BLE001 - without the watch, nothing is ever seen
                _log.exception("watching pods; listing them anew")
                version = ""
                self._closed.wait(_RETRY_S[1])

    def _list(self) -> str:
        """Replaces all that is known; returns the version to follow from."""
        found: dict[str, dict[str, Pod]] = {}
        query: dict[str, Any] = {"labelSelector": self._selector, "limit": _PAGE}
        while True:
            page = self._cluster.call("GET", self._cluster.path("pods"), query=query)
            for told in page["items"]:
                pod = read_pod(told)
                found.setdefault(pod.attempt, {})[pod.name] = pod
            if not page["metadata"].get("continue"):
                break
            query["continue"] = page["metadata"]["continue"]
        with self._lock:
            for attempt, pods in self._pods.items():
                for name, pod in pods.items():
                    if name not in found.get(attempt, {}):
                        self._gone.setdefault(attempt, {})[name] = pod
            changed = {a for a in {*found, *self._pods} if found.get(a) != self._pods.get(a)}
            self._pods = found
        self.listings += 1
        self.trouble = None
        self._listed.set()
        for attempt in changed:
            self._changed(attempt)
        return str(page["metadata"]["resourceVersion"])

    def _follow(self, version: str) -> Iterator[str]:
        """Applies events, and yields the version after each."""
        query = {
            "labelSelector": self._selector,
            "watch": "1",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            "timeoutSeconds": random.randint(_WATCH_S // 2, _WATCH_S),  # noqa: S311
        }
        with self._cluster.stream(self._cluster.path("pods"), query, _IDLE_S) as chunks:
            rest = b""
            for chunk in chunks:
                *lines, rest = (rest + chunk).split(b"\n")
                for line in filter(None, lines):
                    yield self._apply(json.loads(line))

    def _apply(self, event: dict[str, Any]) -> str:
        kind, told = event["type"], event["object"]
        if kind == "ERROR":
            raise ApiError(told.get("code", 500), told.get("reason", ""), told.get("message", ""))
        if kind != "BOOKMARK":
            pod = read_pod(told)
            with self._lock:
                pods = self._pods.setdefault(pod.attempt, {})
                if kind == "DELETED":
                    pods.pop(pod.name, None)
                    self._gone.setdefault(pod.attempt, {})[pod.name] = pod
                    if not pods:
                        del self._pods[pod.attempt]
                else:
                    pods[pod.name] = pod
            self._changed(pod.attempt)
        return str(told["metadata"]["resourceVersion"])


def _rank(pod: Pod) -> int:
    return pod.rank
