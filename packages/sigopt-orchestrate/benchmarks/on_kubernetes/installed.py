"""K6: orchestrate itself in the cluster, as `cluster install` makes it, whose pod is taken away."""

import json
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

from measuring import ORCHESTRATE, Row, environment, scratch, write_experiment

from on_kubernetes.clusters import BENCHMARKS, IMAGE, NAMESPACE, Kube, cluster, make_rootfs
from sigopt_orchestrate.store import Store

SERVER = "localhost/orchestrate:1"
TRIALS, DELETIONS, PATIENCE_S = 24, 4, 240.0
PACKAGE = BENCHMARKS.parent


def pack(kube: Kube, folder: Path) -> None:
    """Makes the server's image of this package's wheel and what it depends on."""
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*build, "--wheel-dir", str(folder), str(PACKAGE)], check=True)
    (wheel,) = folder.glob("sigopt_orchestrate-*.whl")
    root = make_rootfs(folder / "rootfs", ("sigopt-orchestrate[kubernetes]",), (wheel,))
    kube.do("image", str(root), SERVER, '["orchestrate"]')


def volume(folder: Path) -> dict[str, object]:
    """A volume for the server's claim, in a folder of this machine."""
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": "orchestrate"},
        "spec": {
            "capacity": {"storage": "10Gi"},
            "accessModes": ["ReadWriteOnce"],
            "hostPath": {"path": str(folder)},
        },
    }


def install(kube: Kube, folder: Path) -> None:
    """Installs it as a user does, and waits until the server answers."""
    given = environment() | {"KUBECONFIG": str(kube.kubeconfig), "XDG_CONFIG_HOME": str(folder)}
    for line in (
        ("connect", "lab", "--namespace", NAMESPACE),
        ("install", "lab", "--image", SERVER),
    ):
        subprocess.run([*ORCHESTRATE, "cluster", *line], env=given, check=True, stdout=sys.stderr)
    ready = ("--for=condition=Available", "--timeout=180s", "deploy/orchestrate")
    kube.kubectl("wait", "-n", NAMESPACE, *ready)


def submit(kube: Kube, file: Path) -> "subprocess.Popen[bytes]":
    """Starts the experiment in the leader's container, over a connection that will not hold."""
    line = ["exec", "-i", "-n", NAMESPACE, "deploy/orchestrate", "-c", "leader", "--"]
    into = ["sh", "-c", "cat > /data/e.yml && orchestrate run /data/e.yml"]
    kubectl = [f"{kube.binaries}/kubectl", "--kubeconfig", str(kube.kubeconfig)]
    with file.open("rb") as given:
        return subprocess.Popen([*kubectl, *line, *into], stdin=given, stdout=sys.stderr)


def observed(home: Path) -> int:
    """How many trials have their observation."""
    with suppress(Exception):  # the store is being made, or its pod is just taken away
        store = Store.existing(home)
        try:
            return sum(trial.state.observed for trial in store.trials(1))
        finally:
            store.close()
    return 0


def disturb(kube: Kube, home: Path) -> tuple[int, float]:
    """Takes the pod away now and then; returns how often, and the longest time without a result."""
    deleted, seen, since, longest = 0, 0, time.monotonic(), 0.0
    while seen < TRIALS:
        now, count = time.monotonic(), observed(home)
        if count > seen:
            seen, longest, since = count, max(longest, now - since), now
            if deleted < DELETIONS and seen > deleted * TRIALS // (DELETIONS + 1):
                chosen = ("-l", "app.kubernetes.io/name=orchestrate", "--wait=false")
                kube.kubectl("delete", "pod", "-n", NAMESPACE, *chosen)
                deleted += 1
        elif now - since > PATIENCE_S:
            raise RuntimeError(f"no result within {PATIENCE_S:.0f} s, {seen} of {TRIALS} are there")
        time.sleep(0.5)
    return deleted, longest


def count(kube: Kube, home: Path) -> dict[str, int]:
    """Counts what should not be."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        said = kube.kubectl("get", "pods,secrets,configmaps", "-n", NAMESPACE, "-o", "name")
        left = [name for name in said.split() if "/orc-" in name]
        if not left:
            break
        time.sleep(1)
    store = Store.existing(home)
    trials = store.trials(1)
    rows = store.connection.execute("SELECT trial_id FROM observations").fetchall()
    store.close()
    seen = Counter(row[0] for row in rows)
    return {
        "lost": TRIALS - len(seen),
        "observed twice": sum(times > 1 for times in seen.values()),
        "with a wrong value": sum(t.values != {"y": t.assignments["x"]} for t in trials),
        "beyond the budget": len(trials) - TRIALS,
        "objects left after 30 s": len(left),
    }


def measure() -> list[Row]:
    """Installs it, has it lead an experiment in real pods, and deletes its pod again and again."""
    with scratch() as folder, cluster(folder, node=True) as kube:
        home = folder / "data"
        home.mkdir()
        home.chmod(0o777)
        pack(kube, folder)
        kube.kubectl("create", "-f", "-", given=json.dumps(volume(home)))
        install(kube, folder)
        file = write_experiment(
            folder,
            image=IMAGE,
            command="""sleep 2; printf '{{"y": %s}}' {x} > "$ORCHESTRATE_METRICS" """,
            backend="kubernetes",
            budget=TRIALS,
            parallel=2,
            retries={"infra": 100},
        )
        with submit(kube, file) as connection:
            deleted, longest_s = disturb(kube, home)
            connection.terminate()
        found = count(kube, home)
    what = f"{TRIALS} trials in real pods, led by an installed orchestrate whose pod is deleted"
    said = ", ".join(f"{number} {name}" for name, number in found.items())
    return [
        Row("K6", f"{what} {deleted} times", said, "all 0"),
        Row("K6", "the same: longest time from one result to the next", f"{longest_s:.0f} s"),
    ]
