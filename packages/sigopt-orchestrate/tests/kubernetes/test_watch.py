"""The watch against a server that misbehaves on demand, as a real one does only now and then."""

import json
import threading
from collections import deque
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlparse

import pytest

from sigopt_orchestrate.executors.kubernetes import watch as room
from sigopt_orchestrate.executors.kubernetes.cluster import open_cluster
from sigopt_orchestrate.executors.kubernetes.pods import Pod, read_pod
from sigopt_orchestrate.executors.kubernetes.watch import Watch
from sigopt_orchestrate.spec import Kubernetes

Json = dict[str, Any]
PATIENCE_S = 60.0


def pod(name: str, version: int, phase: str = "Running") -> Json:
    labels = {"orchestrate/attempt": "token", "orchestrate/rank": "0"}
    metadata = {"name": name, "labels": labels, "resourceVersion": str(version)}
    return {"metadata": metadata, "spec": {"nodeName": "n"}, "status": {"phase": phase}}


def event(kind: str, told: Json) -> bytes:
    return json.dumps({"type": kind, "object": told}).encode() + b"\n"


class Script:
    """What the server answers, request after request, and what it was asked."""

    def __init__(self) -> None:
        self.answers: deque[tuple[int, bytes, bool]] = deque()
        self.asked: list[Json] = []
        self.over = threading.Event()
        self.moved = threading.Condition()

    def lists(self, version: int, *pods: Json) -> "Script":
        page = {"items": list(pods), "metadata": {"resourceVersion": str(version)}}
        return self._then(200, json.dumps(page).encode())

    def streams(self, *parts: bytes, hangs: bool = False) -> "Script":
        return self._then(200, b"".join(parts), hangs=hangs)

    def refuses(self, status: int) -> "Script":
        said = {"kind": "Status", "code": status, "reason": "Gone", "message": "too old"}
        return self._then(status, json.dumps(said).encode())

    def _then(self, status: int, body: bytes, *, hangs: bool = False) -> "Script":
        self.answers.append((status, body, hangs))
        return self

    def has_been_asked(self, count: int) -> list[Json]:
        """Waits for so many requests."""
        with self.moved:
            assert self.moved.wait_for(lambda: len(self.asked) >= count, PATIENCE_S), self.asked
            return list(self.asked)

    def handler(script: "Script") -> type[BaseHTTPRequestHandler]:  # noqa: N805
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                query = {k: v[0] for k, v in parse_qs(urlparse(self.path).query).items()}
                with script.moved:
                    last = (200, b"", True)  # once the script has been played, silence
                    status, body, hangs = script.answers.popleft() if script.answers else last
                    script.asked.append(query)
                    script.moved.notify_all()
                self.send_response(status)
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                if body:
                    self.wfile.write(f"{len(body):x}\r\n".encode() + body + b"\r\n")
                    self.wfile.flush()
                if hangs:
                    script.over.wait()
                self.close_connection = hangs or not body.endswith((b"\n", b"}"))
                if not self.close_connection:  # otherwise it breaks off
                    self.wfile.write(b"0\r\n\r\n")

            def log_message(self, *_: object) -> None:
                """Says nothing."""

        return Handler


@pytest.fixture
def follow(tmp_path: Path) -> Iterator[Callable[[Script], Watch[Pod]]]:
    """Starts a watch of what a script says."""
    ends: list[Callable[[], None]] = []

    def start(script: Script) -> Watch[Pod]:
        server = ThreadingHTTPServer(("127.0.0.1", 0), script.handler())
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        config = {
            "clusters": [
                {"name": "c", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}
            ],
            "users": [{"name": "u", "user": {}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "c",
        }
        file = tmp_path / "kubeconfig"
        file.write_text(json.dumps(config))
        cluster = open_cluster(Kubernetes(namespace="n"), file)
        made: Watch[Pod] = Watch(
            cluster, lambda: cluster.path("pods"), "orc-1", read_pod, lambda _: None
        )
        made.start()

        def end() -> None:
            made.close()
            script.over.set()
            server.shutdown()
            thread.join()
            server.server_close()

        ends.append(end)
        return made

    yield start
    for end in ends:
        end()


def names(pods: list[Pod]) -> list[str]:
    return [one.name for one in pods]


def test_a_watch_that_ends_goes_on_where_it_was(follow: Callable[[Script], Watch[Pod]]) -> None:
    script = Script().lists(5, pod("a", 4)).streams(event("ADDED", pod("b", 7)))
    script.streams(event("BOOKMARK", {"metadata": {"resourceVersion": "9"}})).streams(hangs=True)
    watch = follow(script)
    first, *watches = script.has_been_asked(4)
    assert "watch" not in first
    assert [asked["resourceVersion"] for asked in watches] == ["5", "7", "9"]
    assert names(watch.objects("token")[0]) == ["a", "b"]
    assert watch.listings == 1


@pytest.mark.parametrize("in_stream", [False, True])
def test_a_lost_place_is_a_listing_and_what_vanished_meanwhile_is_remembered(
    follow: Callable[[Script], Watch[Pod]], *, in_stream: bool
) -> None:
    script = Script().lists(5, pod("a", 4), pod("b", 5))
    if in_stream:
        status = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}
        script.streams(event("ERROR", status))
    else:
        script.refuses(410)
    script.lists(90, pod("b", 80, "Succeeded")).streams(hangs=True)
    watch = follow(script)
    asked = script.has_been_asked(4)
    assert "watch" not in asked[2]
    assert asked[3]["resourceVersion"] == "90"
    here, gone = watch.objects("token")
    assert (names(here), here[0].phase, names(gone)) == (["b"], "Succeeded", ["a"])


def test_a_watch_that_falls_silent_is_begun_again_without_a_listing(
    follow: Callable[[Script], Watch[Pod]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "_IDLE_S", 0.3)
    script = Script().lists(5).streams(event("ADDED", pod("a", 6)), hangs=True)
    watch = follow(script)
    asked = script.has_been_asked(3)
    assert asked[2]["resourceVersion"] == "6"
    assert watch.listings == 1


def test_an_answer_that_breaks_off_within_a_line_costs_nothing(
    follow: Callable[[Script], Watch[Pod]],
) -> None:
    whole = event("ADDED", pod("b", 7))
    script = Script().lists(5).streams(event("ADDED", pod("a", 6)), whole[: len(whole) // 2])
    watch = follow(script.streams(whole, hangs=True))
    assert script.has_been_asked(3)[2]["resourceVersion"] == "6"
    script.over.wait(0.1)
    for _ in range(600):
        if names(watch.objects("token")[0]) == ["a", "b"]:
            break
        script.over.wait(0.1)
    assert names(watch.objects("token")[0]) == ["a", "b"]


def test_all_is_listed_anew_from_time_to_time_though_nothing_seems_wrong(
    follow: Callable[[Script], Watch[Pod]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "_RESYNC_S", 0.0)
    script = (
        Script()
        .lists(5, pod("a", 4))
        .streams(event("ADDED", pod("b", 6)))
        .lists(8)
        .streams(hangs=True)
    )
    watch = follow(script)
    asked = script.has_been_asked(4)
    assert ["watch" in one for one in asked] == [False, True, False, True]
    assert names(watch.objects("token")[1]) == ["a", "b"]


def test_a_cluster_without_the_kind_is_never_asked(
    follow: Callable[[Script], Watch[Pod]],
) -> None:
    script = Script()
    watch = follow(script.lists(1).streams(hangs=True))
    script.has_been_asked(2)
    none: Watch[Pod] = Watch(watch._cluster, lambda: None, "orc-1", read_pod, lambda _: None)
    none.start()
    assert none._listed.wait(PATIENCE_S)
    assert len(script.asked) == 2
