"""Real clusters for the measurements, and nodes that are doubles."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from measuring import ORCHESTRATE, environment

BENCHMARKS = Path(__file__).parents[1]
sys.path.append(str(BENCHMARKS.parent / "tests/kubernetes"))

from cluster import IMAGE, Kube, start, start_control_plane  # noqa: E402 - the tests' own
from rootfs import make_rootfs  # noqa: E402

NAMESPACE = "load"
__all__ = [
    "BENCHMARKS",
    "IMAGE",
    "NAMESPACE",
    "Doubles",
    "Kube",
    "cluster",
    "doubles",
    "make_rootfs",
    "orchestrate",
]


@contextmanager
def cluster(folder: Path, *, node: bool) -> Iterator[Kube]:
    """Gives a cluster with an empty namespace; it is gone at the end.

    Args:
        folder: Where it keeps its files.
        node: Whether it has a real node, with an image that has python3.
    """
    if not os.environ.get("ORCHESTRATE_KUBE"):
        sys.exit("K1 to K6 need $ORCHESTRATE_KUBE, the program that starts a Kubernetes")
    program, home = Path(os.environ["ORCHESTRATE_KUBE"]).absolute(), folder / "cluster"
    if node and os.environ.get("ORCHESTRATE_KUBE_DIR"):  # as for the tests: one that is up already
        kube = Kube(program, Path(os.environ["ORCHESTRATE_KUBE_DIR"]))
        kube.make_namespace(NAMESPACE)
        yield kube
        return
    try:
        kube = start(program, home, ()) if node else start_control_plane(program, home)
        kube.make_namespace(NAMESPACE)
        yield kube
    finally:
        Kube(program, home).end()


class Doubles:
    """Nodes that are doubles, in a process of their own."""

    def __init__(self, kube: Kube, count: int, seconds: float) -> None:
        line = [sys.executable, "-m", "on_kubernetes.kubelet_double"]
        self._process = subprocess.Popen(
            [*line, str(kube.kubeconfig), str(count), str(seconds)],
            cwd=BENCHMARKS,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._out, self._in = self._process.stdout, self._process.stdin
        if self._out is None or self._out.readline() != "ready\n":
            raise RuntimeError("the kubelet's double did not start")

    def say(self, *words: str) -> None:
        """Tells it `release`, `silence NODE` or `revive NODE`."""
        if self._in is not None:
            self._in.write(" ".join(words) + "\n")
            self._in.flush()

    def close(self) -> None:
        """Ends it."""
        if self._in is not None:
            self._in.close()
        self._process.wait()


@contextmanager
def doubles(kube: Kube, count: int, seconds: float) -> Iterator[Doubles]:
    """Gives nodes whose pods run for so long."""
    made = Doubles(kube, count, seconds)
    try:
        yield made
    finally:
        made.close()


def orchestrate(kube: Kube, home: Path, *arguments: str) -> subprocess.Popen[bytes]:
    """Starts `orchestrate` with this cluster; what it says goes to `log` beside its home."""
    with (home.parent / "log").open("ab") as log:
        return subprocess.Popen(
            [*ORCHESTRATE, *arguments, "--home", str(home), "--json"],
            env={**environment(), "KUBECONFIG": str(kube.kubeconfig)},
            stdout=subprocess.DEVNULL,
            stderr=log,
        )
