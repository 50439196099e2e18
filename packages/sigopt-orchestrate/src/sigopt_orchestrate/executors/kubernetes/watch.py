"""An experiment's objects of one kind: listed once, then followed, and listed again in doubt."""

import json
import logging
import random
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Generic, Protocol, TypeVar

from sigopt_orchestrate.executors.kubernetes.cluster import ApiError, Cluster
from sigopt_orchestrate.executors.kubernetes.pods import EXPERIMENT

_log = logging.getLogger(__name__)

_PAGE = 500
_WATCH_S = 240  # the server ends a watch after so long; the next begins where it was
_IDLE_S = 90.0  # bookmarks come every minute: a watch that is silent for longer is dead
_RESYNC_S = 600.0
_RETRY_S = (0.25, 5.0)


class Watched(Protocol):
    """What a watch must know of an object."""

    @property
    def name(self) -> str:
        """Its name in the namespace."""

    @property
    def attempt(self) -> str:
        """The token of the attempt that it belongs to."""

    @property
    def rank(self) -> int:
        """Its place among the attempt's."""


_T = TypeVar("_T", bound=Watched)


class Watch(Generic[_T]):
    """Follows the objects of a kind that bear an experiment's label, in a thread of its own.

    A watch may end, stall, lose its place (410) or lie after the server's restart; so its events
    only ever replace what is known of one object, and everything is listed anew when the place is
    lost, and every ten minutes anyway.

    Args:
        cluster: Where they are.
        address: Of all objects of the kind; called until the cluster answers. None if the cluster
            is too old for them: then there are none.
        experiment: The label's value.
        read: Returns what matters of an object.
        changed: Called in the watch's thread with the attempt that something happened to.
    """

    def __init__(
        self,
        cluster: Cluster,
        address: Callable[[], str | None],
        experiment: str,
        read: Callable[[dict[str, Any]], _T],
        changed: Callable[[str], None],
    ) -> None:
        self._cluster = cluster
        self._address = address
        self._selector = f"{EXPERIMENT}={experiment}"
        self._read = read
        self._changed = changed
        self._lock = threading.Lock()
        self._here: dict[str, dict[str, _T]] = {}  # by attempt and name
        self._gone: dict[str, dict[str, _T]] = {}  # as they last were
        self._listed = threading.Event()
        self._closed = threading.Event()
        self.listings = 0
        self.trouble: str | None = None
        self._thread = threading.Thread(target=self._run, name="cluster watch", daemon=True)

    def start(self) -> None:
        """Begins to watch."""
        self._thread.start()

    @property
    def synced(self) -> bool:
        """Whether the objects have been listed at least once."""
        return self._listed.is_set()

    def objects(self, attempt: str) -> tuple[list[_T], list[_T]]:
        """Returns an attempt's objects, and those that were and are no more, each by rank."""
        with self._lock:
            here = list(self._here.get(attempt, {}).values())
            gone = list(self._gone.get(attempt, {}).values())
        return sorted(here, key=_rank), sorted(gone, key=_rank)

    def attempts(self) -> set[str]:
        """Returns the attempts that have objects."""
        with self._lock:
            return set(self._here)

    def forget(self, attempt: str) -> None:
        """Forgets what an attempt's objects were when they vanished."""
        with self._lock:
            self._gone.pop(attempt, None)

    def close(self) -> None:
        """Stops watching, at the next event at the latest."""
        self._closed.set()

    def _run(self) -> None:
        pause, version, listed_at = _RETRY_S[0], "", 0.0
        while not self._closed.is_set():
            try:
                address = self._address()
                if address is None:
                    self._listed.set()
                    return
                if not version or time.monotonic() - listed_at > _RESYNC_S:
                    version, listed_at = self._list(address), time.monotonic()
                for latest in self._follow(address, version):
                    version, pause = latest, _RETRY_S[0]
                    if self._closed.is_set():
                        return
                self.trouble = None
            except ApiError as error:
                if error.status == 410:
                    version = ""
                    continue
                if self.trouble is None and error.status != 0:
                    _log.warning("watching the cluster: %s", error.message)
                self.trouble = error.message
                self._closed.wait(pause * random.uniform(0.5, 1.0))  # noqa: S311 - no secret
                pause = min(_RETRY_S[1], 2 * pause)
            except Exception:  # noqa: BLE001 - without the watch, nothing is ever seen
                _log.exception("watching the cluster; listing anew")
                version = ""
                self._closed.wait(_RETRY_S[1])

    def _list(self, address: str) -> str:
        """Replaces all that is known; returns the version to follow from."""
        found: dict[str, dict[str, _T]] = {}
        query: dict[str, Any] = {"labelSelector": self._selector, "limit": _PAGE}
        while True:
            page = self._cluster.call("GET", address, query=query)
            for told in page["items"]:
                one = self._read(told)
                found.setdefault(one.attempt, {})[one.name] = one
            if not page["metadata"].get("continue"):
                break
            query["continue"] = page["metadata"]["continue"]
        with self._lock:
            for attempt, known in self._here.items():
                for name, one in known.items():
                    if name not in found.get(attempt, {}):
                        self._gone.setdefault(attempt, {})[name] = one
            changed = {a for a in {*found, *self._here} if found.get(a) != self._here.get(a)}
            self._here = found
        self.listings += 1
        self.trouble = None
        self._listed.set()
        for attempt in changed:
            self._changed(attempt)
        return str(page["metadata"]["resourceVersion"])

    def _follow(self, address: str, version: str) -> Iterator[str]:
        """Applies events, and yields the version after each."""
        query = {
            "labelSelector": self._selector,
            "watch": "1",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            "timeoutSeconds": random.randint(_WATCH_S // 2, _WATCH_S),  # noqa: S311
        }
        with self._cluster.stream(address, query, _IDLE_S) as chunks:
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
            one = self._read(told)
            with self._lock:
                here = self._here.setdefault(one.attempt, {})
                if kind == "DELETED":
                    here.pop(one.name, None)
                    self._gone.setdefault(one.attempt, {})[one.name] = one
                    if not here:
                        del self._here[one.attempt]
                else:
                    here[one.name] = one
            self._changed(one.attempt)
        return str(told["metadata"]["resourceVersion"])


def _rank(one: Watched) -> int:
    return one.rank
