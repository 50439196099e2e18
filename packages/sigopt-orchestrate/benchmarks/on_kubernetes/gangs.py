"""K5: gangs of four real pods on a real node, whose ranks are killed one after the other."""

import random
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import psutil
from measuring import Row, scratch, write_experiment

from on_kubernetes.api import Api
from on_kubernetes.clusters import IMAGE, NAMESPACE, Kube, cluster, orchestrate
from sigopt_orchestrate.store import Store

TRIALS, KILLS_EACH, RANKS = 10, 5, 4
HANG_S = 180.0
PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"

# Every rank says that it is up; the first goes on from the checkpoint to the step that `go` says.
TRAIN = r"""
import json, os, pathlib, time
folder = pathlib.Path(os.environ["ORCHESTRATE_OUTPUT"])
folder.mkdir(parents=True, exist_ok=True)
rank, checkpoint = os.environ["RANK"], folder / "checkpoint"
(folder / f"up.{rank}.{os.environ['HOSTNAME']}").touch()
if rank == "0":
    step = int(checkpoint.read_text()) if checkpoint.exists() else 0
    with (folder / "starts").open("a") as file:
        file.write(f"{step}\n")
while not (folder / "done").exists():
    time.sleep(0.2)
    if rank == "0":
        goal = int((folder / "go").read_text()) if (folder / "go").exists() else 0
        if step < goal:
            step += 1
            checkpoint.write_text(str(step))
        if step >= int(os.environ["STEPS"]):
            with open(os.environ["ORCHESTRATE_METRICS"], "a") as file:
                file.write(json.dumps({"y": float(step)}) + "\n")
            (folder / "done").touch()
"""


class Gangs:
    """The trials' gangs, seen from their node."""

    def __init__(self, kube: Kube, output: Path) -> None:
        self.api, self.output = Api(kube.kubeconfig, "faults"), output
        self.chance = random.Random(0)  # noqa: S311
        self.kills: Counter[int] = Counter()  # by trial
        self.hurt_last: Counter[int] = Counter()  # the attempt, by trial
        self.kinds: Counter[str] = Counter()

    def whole(self) -> dict[tuple[int, int], list[str]]:
        """The pods of each attempt, by trial and attempt, whose ranks have all started."""
        found: dict[tuple[int, int], list[str]] = {}
        for pod in self.api.insist("GET", PODS)["items"]:
            name, metadata = pod["metadata"]["name"], pod["metadata"]
            if pod["status"]["phase"] == "Running" and "deletionTimestamp" not in metadata:
                trial, attempt = map(int, name.split("-")[3:5])
                if list(self.output.glob(f"*/{trial}/up.*.{name}")):
                    found.setdefault((trial, attempt), []).append(name)
        return {key: sorted(names) for key, names in found.items() if len(names) == RANKS}

    def checkpoint(self, trial: int) -> int:
        """The last step that is kept."""
        files = list(self.output.glob(f"*/{trial}/checkpoint"))
        return int(files[0].read_text() or 0) if files else 0

    def hurt(self) -> bool:
        """Kills a rank of a gang that has got a step further; returns whether there was one."""
        for (trial, attempt), pods in self.whole().items():
            killed, step = self.kills[trial], self.checkpoint(trial)
            if attempt <= self.hurt_last[trial]:
                continue  # it is ending
            if step == killed:  # only a new gang, whole: an old one's leader lives on a bit
                self._let_go_on(trial, killed + 1)
            elif killed < KILLS_EACH:
                self.kinds[self._kill(self.chance.choice(pods))] += 1
                self.kills[trial] += 1
                self.hurt_last[trial] = attempt
                return True
        return False

    def _let_go_on(self, trial: int, step: int) -> None:
        """Has the gang's first rank work until this step is kept."""
        for folder in self.output.glob(f"*/{trial}"):
            (folder / "go.new").write_text(str(step))
            (folder / "go.new").rename(folder / "go")

    def _kill(self, pod: str) -> str:
        """Kills one rank: all its processes with SIGKILL, or its pod; returns which."""
        if self.chance.random() < 0.25:
            self.api.insist("DELETE", f"{PODS}/{pod}", {"gracePeriodSeconds": 1})
            return "pod deleted"
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.environ().get("HOSTNAME") == pod and process.name() != "pause":
                    process.kill()
        return "killed with SIGKILL"


def inflict(gangs: Gangs, leader: subprocess.Popen[bytes]) -> float:
    """Kills until the leader is done; returns the longest time without a step forward.

    Raises:
        RuntimeError: If that is so long that it must be called a hang, or the leader fails.
    """
    progress, longest = time.monotonic(), 0.0
    while leader.poll() is None:
        now = time.monotonic()
        if gangs.hurt():
            longest, progress = max(longest, now - progress), now
        elif now - progress > HANG_S:
            raise RuntimeError(f"hang: no step forward within {HANG_S:.0f} s")
        if sys.stderr.isatty():
            print(f"\r{sum(gangs.kinds.values())} kills", end="", file=sys.stderr)
        time.sleep(0.2)
    if leader.returncode != 0:
        raise RuntimeError(f"the leader failed with status {leader.returncode}")
    return longest


def measure(trials: int = TRIALS) -> list[Row]:
    """Kills a rank of each trial's gang some times, each time after it has got a step further."""
    with scratch() as folder, cluster(folder, node=True) as kube:
        output = folder / "output"
        output.mkdir()
        output.chmod(0o777)
        volume = {"name": "kept", "mount": "/kept", "host_path": str(output)}
        file = write_experiment(
            folder,
            command=["python3", "-c", TRAIN.replace("{", "{{").replace("}", "}}")],
            env={"STEPS": str(KILLS_EACH + 1)},
            image=IMAGE,
            nodes={"count": RANKS},
            backend={"kubernetes": {"namespace": NAMESPACE, "volumes": [volume], "output": "kept"}},
            budget=trials,
            parallel=1,
            retries={"infra": 1000},
            timeouts={"grace": "1s"},
        )
        gangs = Gangs(kube, output)
        leader = orchestrate(kube, folder / "home", "run", str(file))
        try:
            longest_s = inflict(gangs, leader)
        finally:
            leader.terminate()
            leader.wait()
        found = count(folder / "home", output)
    total = sum(gangs.kinds.values())
    said = ", ".join(f"{count} {name}" for name, count in gangs.kinds.most_common())
    what = f"gangs of {RANKS} real pods, {trials} trials, {total} ranks lost ({said})"
    measured = ", ".join(f"{count} {name}" for name, count in found.items())
    return [Row("K5", what, f"{measured}; a kill a step, {longest_s:.0f} s apart at most", "all 0")]


def count(home: Path, output: Path) -> dict[str, int]:
    """Counts what should not be."""
    store = Store.existing(home)
    trials = store.trials(1)
    store.close()
    starts = [
        [int(line) for line in path.read_text().split()] for path in output.glob("*/*/starts")
    ]
    ups = Counter(
        path.name.rpartition("-")[0].partition("orc")[2] for path in output.glob("*/*/up.*")
    )
    return {
        "gangs restarted other than once a kill": sum(t.attempt != KILLS_EACH + 1 for t in trials),
        "not gone on from the checkpoint": sum(one != [*range(KILLS_EACH + 1)] for one in starts),
        "without result": sum(t.values != {"y": KILLS_EACH + 1} for t in trials),
        "gangs started in part": sum(count != RANKS for count in ups.values()),
        "hangs": 0,
    }
