"""A double of the kubelet: nodes whose pods run nothing, for loads that no single machine carries.

    python -m on_kubernetes.kubelet_double KUBECONFIG NODES SECONDS

registers NODES nodes, renews their leases, and does for every pod that the real scheduler binds to
one of them what a kubelet does: its container runs for SECONDS and leaves the last word that our
code in a real pod leaves, `{"y": x}` for the trial's parameter x; a pod that is asked to end does
so. Logs are served as a kubelet serves them. On the standard input, `release` ends all containers
that run, `silence NODE` and `revive NODE` make a node fall silent and come back.
"""

import heapq
import itertools
import json
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from on_kubernetes.api import Api, Json
from on_kubernetes.kubelet_logs import serve_logs

LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
RENEW_S, WORKERS = 5.0, 8
CAPACITY = {"cpu": "64", "memory": "256Gi", "pods": "300"}
ADDRESS = "127.0.0.1"


def now() -> str:
    """Returns the time as Kubernetes writes it where it wants microseconds."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@dataclass
class Container:
    """One pod's container.

    Attributes:
        node: Where it runs.
        path: The pod's address.
        x: The trial's parameter.
        running: Whether it has been said to run.
        asked: Whether it has been asked to end.
        over: Set once it has ended.
    """

    node: str
    path: str
    x: float
    running: bool = False
    asked: bool = False
    over: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)


class Double:
    """The nodes and what runs on them."""

    def __init__(self, api: Api, nodes: list[str], seconds: float) -> None:
        self._api, self._nodes, self._seconds = api, nodes, seconds
        self._silent: set[str] = set()
        self._containers: dict[str, Container] = {}  # by the pod's uid
        self._due: list[tuple[float, int, str]] = []
        self._numbers = itertools.count()
        self._ready = threading.Condition()
        self._port = serve_logs(self._find)

    def start(self) -> None:
        """Makes the nodes, and lives in threads of its own from now on."""
        for node in self._nodes:
            labels = {"kubernetes.io/hostname": node}
            made = {
                "apiVersion": "v1",
                "kind": "Node",
                "metadata": {"name": node, "labels": labels},
            }
            self._api.insist("POST", "/api/v1/nodes", made)
            self._say_ready(node)
            self._api.insist("POST", LEASES, {"metadata": {"name": node}, "spec": _lease(node)})
        for work in (self._renew, self._follow, *[self._work] * WORKERS):
            threading.Thread(target=work, daemon=True).start()

    def release(self) -> None:
        """Lets every container that runs end now."""
        with self._ready:
            self._due = [(0.0, number, uid) for _, number, uid in self._due]
            heapq.heapify(self._due)
            self._ready.notify_all()

    def silence(self, node: str) -> None:
        """Says nothing more of a node and of its pods."""
        self._silent.add(node)

    def revive(self, node: str) -> None:
        """Speaks for the node again, and of its pods that are still wanted."""
        self._silent.discard(node)
        self._say_ready(node)
        for container in list(self._containers.values()):
            if container.node == node and container.running and not container.over.is_set():
                self._say_running(container)
        for pod in self._api.insist("GET", "/api/v1/pods?fieldSelector=spec.nodeName!=")["items"]:
            self._hear(pod)

    def _say_ready(self, node: str) -> None:
        at = now()[:19] + "Z"
        ready = {"type": "Ready", "status": "True", "reason": "KubeletReady"}
        status = {
            "conditions": [{**ready, "lastHeartbeatTime": at, "lastTransitionTime": at}],
            "capacity": CAPACITY,
            "allocatable": CAPACITY,
            "addresses": [{"type": "InternalIP", "address": ADDRESS}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": self._port}},
        }
        self._api.insist("PATCH", f"/api/v1/nodes/{node}/status", {"status": status})

    def _renew(self) -> None:
        while True:
            for node in self._nodes:
                if node not in self._silent:
                    self._api.call("PATCH", f"{LEASES}/{node}", {"spec": _lease(node)})
            time.sleep(RENEW_S)

    def _follow(self) -> None:
        pods = "/api/v1/pods?fieldSelector=spec.nodeName!="
        while True:
            status, page = self._api.call("GET", pods)
            if status == 200:
                for pod in page["items"]:
                    self._hear(pod)
                for uid in self._containers.keys() - {p["metadata"]["uid"] for p in page["items"]}:
                    self._drop(uid)
                version = page["metadata"]["resourceVersion"]
                for event in self._api.watch(
                    f"{pods}&watch=1&resourceVersion={version}&timeoutSeconds=120"
                ):
                    if event["type"] == "ERROR":
                        break
                    if event["type"] == "DELETED":
                        self._drop(event["object"]["metadata"]["uid"])
                    else:
                        self._hear(event["object"])
            time.sleep(0.2)

    def _drop(self, uid: str) -> None:
        gone = self._containers.pop(uid, None)
        if gone is not None:
            gone.over.set()

    def _hear(self, pod: Json) -> None:
        metadata, node = pod["metadata"], pod["spec"]["nodeName"]
        if node not in self._nodes or node in self._silent:
            return
        uid, deleting = metadata["uid"], "deletionTimestamp" in metadata
        container = self._containers.get(uid)
        if container is None:
            container = self._containers[uid] = _container(pod)
            self._at(0.0, uid)
        if deleting and not container.asked:
            container.asked = True
            self._at(0.0, uid)

    def _at(self, seconds: float, uid: str) -> None:
        with self._ready:
            heapq.heappush(self._due, (time.monotonic() + seconds, next(self._numbers), uid))
            self._ready.notify()

    def _work(self) -> None:
        while True:
            with self._ready:
                while not self._due or self._due[0][0] > time.monotonic():
                    pause = self._due[0][0] - time.monotonic() if self._due else None
                    self._ready.wait(pause)
                _, _, uid = heapq.heappop(self._due)
            container = self._containers.get(uid)
            if container is None:
                continue
            if container.node in self._silent:
                self._at(1.0, uid)
                continue
            with container.lock:
                self._advance(uid, container)

    def _advance(self, uid: str, container: Container) -> None:
        """Takes a container one step further: it starts, it ends, or its pod goes."""
        if container.asked:
            if not container.over.is_set():
                self._end(container, 143, "stop")
            self._api.insist("DELETE", container.path, {"gracePeriodSeconds": 0})
        elif container.over.is_set():
            return
        elif container.running:
            self._end(container, 0, None)
        else:
            container.running = True
            self._say_running(container)
            self._at(self._seconds, uid)

    def _say_running(self, container: Container) -> None:
        state = {"running": {"startedAt": now()[:19] + "Z"}}
        self._patch(container, "Running", state, ready=True)

    def _end(self, container: Container, status: int, ended_by: str | None) -> None:
        report = json.dumps({"y": container.x}) + "\n" if status == 0 else ""
        word = {"code": 0 if status == 0 else -15, "ended_by": ended_by, "error": None}
        said = json.dumps({**word, "report": report, "bytes": len(report)})
        ended = {"exitCode": status, "reason": "Completed", "message": said}
        phase = "Succeeded" if status == 0 else "Failed"
        self._patch(container, phase, {"terminated": ended}, ready=False)
        container.over.set()

    def _patch(self, container: Container, phase: str, state: Json, *, ready: bool) -> None:
        told = {"name": "trial", "image": "none", "imageID": "none", "ready": ready}
        status = {
            "phase": phase,
            "podIP": "10.244.9.9",
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
            "containerStatuses": [{**told, "restartCount": 0, "state": state}],
        }
        self._api.insist("PATCH", f"{container.path}/status", {"status": status})

    def _find(self, path: str) -> tuple[str, threading.Event] | None:
        """Returns what a pod's log holds and what to wait for until it is whole."""
        for container in list(self._containers.values()):
            if container.path == path:
                return f"{now()} trial {container.x}\n", container.over
        return None


def _lease(node: str) -> Json:
    return {"holderIdentity": node, "leaseDurationSeconds": 40, "renewTime": now()}


def _container(pod: Json) -> Container:
    metadata, env = pod["metadata"], pod["spec"]["containers"][0]["env"]
    parameters = next(e["value"] for e in env if e["name"] == "ORCHESTRATE_PARAMETERS")
    path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}"
    made = Container(pod["spec"]["nodeName"], path, json.loads(parameters)["x"])
    if pod["status"].get("phase") in {"Succeeded", "Failed"}:
        made.over.set()
    return made


def main() -> None:
    """Plays until the standard input ends."""
    kubeconfig, count, seconds = sys.argv[1:]
    nodes = [f"double-{number}" for number in range(int(count))]
    double = Double(Api(Path(kubeconfig), "kubelet-double"), nodes, float(seconds))
    double.start()
    print("ready", flush=True)
    for line in sys.stdin:
        command: Any = line.split()
        with suppress(ValueError):
            getattr(double, command[0])(*command[1:])


if __name__ == "__main__":
    main()
