"""Brings what pods write into the attempts' folders while they write it."""

import contextlib
import json
import re
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sigopt_orchestrate.executors.kubernetes.cluster import ApiError, Cluster
from sigopt_orchestrate.executors.kubernetes.pod.places import CONTAINER
from sigopt_orchestrate.executors.kubernetes.pod.report import MARK
from sigopt_orchestrate.executors.kubernetes.rotation import append
from sigopt_orchestrate.store import AttemptFolder

_FOLLOWERS = 64
_MOST_COURIERS = 2048  # they are heard while they run, or not at all
_MORE_AT_THE_END = 16  # a thousand threads at once would hold up the run loop for seconds
_IDLE_S = 3600.0
_RETRIES = 8
_MARKED = re.compile(f"{MARK}orchestrate ([^{MARK}]*){MARK}\n?".encode())
_ASKED = re.compile(f"{MARK}artifacts (\\S+) (\\d+)/(\\d+) ([^{MARK}]*){MARK}\n?".encode())

Asked = Callable[[str, AttemptFolder, str, dict[str, Any]], None]
"""Takes a courier's question: its pod, its attempt's folder, the question's name, and itself."""


@dataclass
class _Stream:
    """What is known of one pod's log.

    Attributes:
        since: The time of the last line that was written.
        done: Whether it has been read to its end.
        asked: Whether somebody reads it or is about to.
        heard: Of questions that are not whole yet, what has been heard.
    """

    pod: str
    folder: AttemptFolder
    rank: int
    count: int
    since: str = ""
    done: threading.Event = field(default_factory=threading.Event)
    asked: bool = False
    heard: dict[str, list[str]] = field(default_factory=dict)


class Logs:
    """Follows pods' logs, at most a few dozen at a time; the others' are fetched when they end.

    Where many end at once their logs are fetched one after the other, a few at a time.

    Args:
        cluster: Where the pods are.
        secrets: What must not stay in a log; overwritten with `*` before it gets there.
        asked: Takes couriers' questions; with it all pods are followed, as all may ask.
    """

    def __init__(
        self, cluster: Cluster, secrets: tuple[bytes, ...], asked: Asked | None = None
    ) -> None:
        self._cluster = cluster
        self._asked = asked
        self._most = _FOLLOWERS if asked is None else _MOST_COURIERS
        self._secrets = [secret for secret in secrets if secret]
        self._streams: dict[str, _Stream] = {}
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._waiting: deque[_Stream] = deque()
        self._active = 0
        self._closed = False

    def follow(self, pod: str, folder: AttemptFolder, rank: int, count: int, *, last: bool) -> bool:
        """Follows a pod's log if nobody does; returns whether it has been read to its end.

        Args:
            pod: Its name.
            folder: Of its attempt.
            rank: Its number in the attempt's gang.
            count: How many there are in the gang.
            last: Whether the pod has ended or is about to go, so that its log is fetched even if
                many are followed.
        """
        with self._lock:
            stream = self._streams.get(pod)
            if stream is None:
                stream = self._streams[pod] = _Stream(pod, folder, rank, count)
            if not stream.asked and (last or self._active < self._most):
                stream.asked = True
                self._waiting.append(stream)
                if self._active < self._most + (_MORE_AT_THE_END if last else 0):
                    self._active += 1
                    threading.Thread(target=self._work, daemon=True).start()
        return stream.done.is_set()

    def forget(self, pods: list[str]) -> None:
        """Forgets pods that are no more."""
        with self._lock:
            for pod in pods:
                self._streams.pop(pod, None)

    def close(self) -> None:
        """Follows nothing any more."""
        self._closed = True

    def _work(self) -> None:
        """Reads one log after the other, as long as there is one that waits."""
        while True:
            with self._lock:
                if not self._waiting:
                    self._active -= 1
                    return
                stream = self._waiting.popleft()
            try:
                self._follow(stream)
            finally:
                stream.done.set()

    def _follow(self, stream: _Stream) -> None:
        _resume(stream)
        for attempt in range(_RETRIES):
            try:
                self._read(stream)
                break
            except ApiError as error:
                # Gone, or on a node that has never heard of it: there is nothing to be had.
                if self._closed or error.status in {400, 403, 404}:
                    break
                time.sleep(min(5.0, 0.25 * 2**attempt))

    def _read(self, stream: _Stream) -> None:
        query = {"follow": "true", "timestamps": "true", "container": CONTAINER}
        if stream.since:
            query["sinceTime"] = stream.since
        known = stream.since
        path = self._cluster.path("pods", stream.pod) + "/log"
        with self._cluster.stream(path, query, _IDLE_S) as chunks:
            rest = b""
            for chunk in chunks:
                if self._closed:
                    return
                whole, newline, rest = (rest + chunk).rpartition(b"\n")
                if newline:
                    self._write(stream, whole.split(b"\n"), known)
            if rest:
                self._write(stream, [rest], known, final=True)

    def _write(
        self, stream: _Stream, lines: list[bytes], known: str, *, final: bool = False
    ) -> None:
        """Appends lines to the attempt's log and metrics, and remembers how far that was.

        Args:
            stream: The pod's.
            lines: Each with its time, which has nanoseconds.
            known: The time up to which lines were written before the connection was made.
            final: Whether the last line did not end.
        """
        said, metrics = b"", b""
        last = stream.since
        for line in lines:
            stamp, _, text = line.partition(b" ")
            at = stamp.decode(errors="replace")
            if at <= known:
                continue
            last = at
            text += b"" if final else b"\n"
            for marked in _MARKED.findall(text):
                metrics += marked + b"\n"
            self._hear(stream, text)
            rest = _ASKED.sub(b"", _MARKED.sub(b"", text))
            if rest and stream.count > 1:
                rest = f"[{stream.rank}] ".encode() + rest
            said += rest
        for secret in self._secrets:
            said = said.replace(secret, b"*" * len(secret))
        stream.folder.root.mkdir(parents=True, exist_ok=True)
        with self._writing:  # a gang's ranks share a log
            append(stream.folder.log, stream.folder.older_log, said)
        if metrics and stream.rank == 0:
            with stream.folder.metrics.open("ab") as file:
                file.write(metrics)
        stream.since = last
        _place(stream).write_text(json.dumps({"since": last}))

    def _hear(self, stream: _Stream, text: bytes) -> None:
        """Puts questions together, which are said in pieces."""
        for name, number, count, piece in _ASKED.findall(text):
            known_as = name.decode()
            pieces = stream.heard.setdefault(known_as, [])
            if int(number) == len(pieces) + 1:
                pieces.append(piece.decode(errors="replace"))
            if len(pieces) == int(count):
                del stream.heard[known_as]
                with contextlib.suppress(ValueError):
                    asked = dict(json.loads("".join(pieces)))
                    if self._asked is not None:
                        self._asked(stream.pod, stream.folder, known_as, asked)


def _resume(stream: _Stream) -> None:
    """Takes up where another leader left off."""
    try:
        place = json.loads(_place(stream).read_text())
    except (OSError, ValueError):
        return
    stream.since = place["since"]


def _place(stream: _Stream) -> Path:
    return stream.folder.root / f"log.{stream.rank}.place"
