"""A real cluster for the tests: `kube` starts it, and an image is packed for its pods."""

import base64
import json
import os
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from custom_kinds import DEFINITIONS
from on_kubernetes.api import Api
from rootfs import make_rootfs

IMAGE = "localhost/trial:1"
_GROUPS = {"jobs": "batch/v1"} | {
    one["spec"]["names"]["plural"]: f"{one['spec']['group']}/{one['spec']['versions'][0]['name']}"
    for one in DEFINITIONS
}
_AUDIT = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules: [{level: Metadata, userGroups: ["system:masters", "system:serviceaccounts"]}]
"""


@dataclass(frozen=True)
class Kube:
    """A cluster under `folder`, started by the program `kube`."""

    kube: Path
    folder: Path

    @property
    def kubeconfig(self) -> Path:
        """The administrator's."""
        return self.folder / "kubeconfig"

    @property
    def binaries(self) -> str:
        """The folder that holds kubectl."""
        line = [str(self.kube), "bin"]
        return subprocess.run(line, capture_output=True, text=True, check=True).stdout.strip()

    def do(self, command: str, *arguments: str) -> None:
        """Calls `kube COMMAND FOLDER ARGUMENTS`."""
        line = [str(self.kube), command, str(self.folder), *arguments]
        # Its processes keep what they inherit: no pipe that a reader would wait for.
        with (self.folder.parent / "kube.log").open("ab") as log:
            subprocess.run(line, check=True, stdout=log, stderr=log, timeout=300)

    def tag(self, image: str, name: str) -> None:
        """Gives an image that the node has another name."""
        node = ["ctr", "--address", str(self.folder / "containerd.sock"), "--namespace", "k8s.io"]
        line = [*node, "images", "tag", image, name]
        subprocess.run(line, check=True, stdout=subprocess.DEVNULL, timeout=60)

    def end(self) -> None:
        """Ends all of it; what would take its time to end well is not asked to."""
        for part in ("proxy", "kubelet", "scheduler", "controller-manager", "apiserver"):
            self.do("kill", part)
        self.do("down")

    def kubectl(self, *arguments: str, given: str | None = None) -> str:
        """Returns what kubectl says."""
        kubectl = [f"{self.binaries}/kubectl", "--kubeconfig", str(self.kubeconfig)]
        line = [*kubectl, *arguments]
        done = subprocess.run(
            line, input=given, capture_output=True, text=True, check=False, timeout=240
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def get(self, *arguments: str) -> list[dict[str, Any]]:
        """Returns the objects that `kubectl get ARGUMENTS` finds."""
        found = json.loads(self.kubectl("get", *arguments, "-o", "json"))
        items: list[dict[str, Any]] = found.get("items", [found])
        return items

    def listed(self, namespace: str, *kinds: str) -> list[dict[str, Any]]:
        """Returns what there is of some kinds, without a process for each look."""
        found = []
        for kind in kinds:
            root = f"/apis/{_GROUPS[kind]}" if kind in _GROUPS else "/api/v1"
            found += self._api.insist("GET", f"{root}/namespaces/{namespace}/{kind}")["items"]
        return found

    def make_namespace(self, name: str) -> None:
        """Creates a namespace, and waits until pods are admitted there."""
        metadata = {"name": name}
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
        self._api.insist("POST", "/api/v1/namespaces", body)
        self._token(name, "default")

    def create(self, namespace: str, objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Creates objects; returns them as the server has them."""
        made = []
        for one in objects:
            root = "/api/v1" if one["apiVersion"] == "v1" else f"/apis/{one['apiVersion']}"
            path = f"{root}/namespaces/{namespace}/{one['kind'].lower()}s"
            made.append(self._api.insist("POST", path, one))
            assert made[-1]["kind"] == one["kind"], made[-1]
        return made

    def account(self, namespace: str, rules: list[dict[str, Any]]) -> str:
        """Returns the kubeconfig of a new service account that may do this much there."""
        name = f"a{uuid.uuid4().hex[:8]}"
        here = {"apiVersion": "rbac.authorization.k8s.io/v1"}
        role = here | {"kind": "Role", "metadata": {"name": name}, "rules": rules}
        self.kubectl("create", "serviceaccount", name, "-n", namespace)
        self.kubectl("create", "-n", namespace, "-f", "-", given=json.dumps(role))
        bound = (f"--role={name}", f"--serviceaccount={namespace}:{name}")
        self.kubectl("create", "rolebinding", name, *bound, "-n", namespace)
        (secret,) = self.get("secret", self._token(namespace, name), "-n", namespace)
        config = yaml.safe_load(self.kubeconfig.read_text())
        config["users"][0]["user"] = {"token": base64.b64decode(secret["data"]["token"]).decode()}
        return str(yaml.safe_dump(config))

    def _token(self, namespace: str, account: str) -> str:
        """Returns the secret with an account's token, once the controllers have made both."""
        deadline = time.monotonic() + 180
        while True:
            for one in self.listed(namespace, "serviceaccounts"):
                if one["metadata"]["name"] == account and one.get("secrets"):
                    return str(one["secrets"][0]["name"])
            assert time.monotonic() < deadline, f"account {account} of {namespace} gets no token"

    @cached_property
    def _api(self) -> Api:
        return Api(self.kubeconfig, "tests")

    def ours(self, namespace: str) -> list[str]:
        """Returns the names of all objects of experiments, Jobs apart."""
        found = self.listed(namespace, "pods", "secrets", "configmaps")
        names = [one["metadata"]["name"] for one in found]
        return [name for name in names if name.startswith("orc-")]

    def audited(self) -> list[dict[str, Any]]:
        """Returns the requests of orchestrate's own that the API server has seen."""
        lines = (self.folder / "audit.log").read_text().splitlines()
        events = [json.loads(line) for line in lines if line.endswith("}")]
        return [event for event in events if event.get("userAgent", "").startswith("orchestrate/")]


def start(kube: Path, folder: Path, installed: tuple[str, ...]) -> Kube:
    """Returns a running cluster with a node, which has `IMAGE`, and in it what is named."""
    root = folder.parent / "rootfs"
    with _up(kube, folder, "--node") as cluster:
        make_rootfs(root, installed)
    cluster.do("image", str(root), IMAGE, '["python3"]')
    return cluster


def add_kinds(cluster: Kube) -> None:
    """Defines the kinds of other projects, for good: the garbage collector halts when one goes."""
    listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": DEFINITIONS})
    cluster.kubectl("apply", "-f", "-", given=listed)
    names = [f"crd/{one['metadata']['name']}" for one in DEFINITIONS]
    cluster.kubectl("wait", "--for=condition=Established", "--timeout=120s", *names)


def start_control_plane(kube: Path, folder: Path) -> Kube:
    """Returns a running cluster without a node."""
    with _up(kube, folder) as cluster:
        return cluster


@contextmanager
def _up(kube: Path, folder: Path, *flags: str) -> Iterator[Kube]:
    """Gives a cluster that is up when the block has ended; its server keeps an audit log."""
    cluster = Kube(kube, folder)
    folder.mkdir(parents=True)
    environment = os.environ | {"KUBE_CACHE": str(_audited_binaries(cluster))}
    with (folder.parent / "up.log").open("wb") as log:
        line = [str(kube), "up", str(folder), *flags]
        booting = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=log, env=environment)
    try:
        yield cluster
    finally:
        assert booting.wait(timeout=400) == 0, (folder.parent / "up.log").read_text()


def _audited_binaries(cluster: Kube) -> Path:
    """Returns the programs of a cluster, its API server one that says whom it answers.

    It begins so: to start it anew with other arguments takes a fifth of the time that all takes.
    """
    own = cluster.folder / "bin"
    own.mkdir()
    for program in Path(cluster.binaries).iterdir():
        (own / program.name).symlink_to(program)
    policy, server = cluster.folder / "audit.yaml", own / "kube-apiserver"
    policy.write_text(_AUDIT)
    real, log = server.resolve(), cluster.folder / "audit.log"
    server.unlink()
    audit = f"--audit-policy-file {policy} --audit-log-path {log}"
    server.write_text(f'#!/bin/sh\nexec {real} "$@" {audit}\n')
    server.chmod(0o755)
    return own
