"""K4: a thousand trials at once on a real control plane whose nodes are doubles."""

import json
import subprocess
import sys
import time

from measuring import Row, environment, scratch, write_experiment
from restart import wait_until_running

from on_kubernetes.clusters import BENCHMARKS, NAMESPACE, Kube, cluster, doubles
from sigopt_orchestrate.store import Store

TRIALS, NODES, STEADY_S = 1000, 8, 20.0


def patient(kube: Kube) -> None:
    """Makes the node controller wait for ten minutes: a busy machine is not to look like faults."""
    command = kube.folder / "controller-manager.command"
    command.write_text(command.read_text().replace("20s", "600s"))
    kube.do("restart", "controller-manager")


def measure(trials: int = TRIALS) -> list[Row]:
    """Starts them, watches their leader while all run, and lets all end at the same moment."""
    with (
        scratch() as folder,
        cluster(folder, node=False) as kube,
        doubles(kube, NODES, 3600.0) as nodes,
    ):
        patient(kube)
        file = write_experiment(
            folder,
            command="true",
            image="localhost/double:1",
            backend={"kubernetes": {"namespace": NAMESPACE}},
            budget=trials,
            parallel=trials,
        )
        began, passes = time.time(), folder / "passes"
        line = [sys.executable, "-m", "on_kubernetes.timed_leader"]
        leader = subprocess.Popen(
            [*line, str(folder / "home"), str(file), str(passes)],
            cwd=BENCHMARKS,
            env={**environment(), "KUBECONFIG": str(kube.kubeconfig)},
        )
        try:
            while not (folder / "home/orchestrate.db").exists():
                time.sleep(0.1)
            store = Store.existing(folder / "home")
            wait_until_running(store, trials)
            store.close()
            all_run = time.time()
            time.sleep(STEADY_S)
            released = time.time()
            nodes.say("release")
            if leader.wait() != 0:
                raise RuntimeError("the leader has failed")
        finally:
            leader.kill()
        told = [json.loads(line) for line in passes.read_text().splitlines()]
        ended = time.time()
    return rows(told, trials, (began, all_run, released, ended))


def rows(
    told: list[dict[str, float]], trials: int, at: tuple[float, float, float, float]
) -> list[Row]:
    """Returns the figures for the three stretches between the four times `at`."""
    began, all_run, released, ended = at
    named = {
        f"all {trials:,} are started ({all_run - began:.0f} s)": (began, all_run),
        f"all run ({released - all_run:.0f} s)": (all_run + 1, released),
        f"all end at once ({ended - released:.0f} s)": (released, ended),
    }
    found = []
    for name, (since, until) in named.items():
        some = [one for one in told if since <= one["at"] < until]
        seconds = sorted(one["seconds"] for one in some)
        cpu_s = sorted(one["cpu_s"] for one in some)
        middle, longest = seconds[len(seconds) // 2], seconds[-1]
        measured = (
            f"{len(some)} passes: median {1000 * middle:.0f} ms, longest {1000 * longest:.0f} ms "
            f"({1000 * cpu_s[-1]:.0f} ms of CPU)"
        )
        found.append(Row("K4", f"a pass over the trials while {name}", measured, "<= 1 s"))
    most = max(one["memory"] for one in told)
    what = f"the leader's memory with {trials:,} trials at once, at most"
    return [*found, Row("K4", what, f"{most / 1e6:.0f} MB", "<= 300 MB")]
