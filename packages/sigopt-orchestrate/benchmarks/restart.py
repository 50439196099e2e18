"""S5: a leader is killed and another one takes its running trials over."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
from measuring import ORCHESTRATE, Row, environment, scratch, write_experiment

from sigopt_orchestrate.lifecycle import TrialState
from sigopt_orchestrate.store import ExperimentFolder, Store

RUNNING = 1000


def start(folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    """Starts `orchestrate` in the background."""
    command = [*ORCHESTRATE, *arguments, "--json"]
    return subprocess.Popen(
        command, cwd=folder, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def wait_until_running(store: Store, count: int) -> None:
    """Returns once that many trials run."""
    while sum(trial.state is TrialState.RUNNING for trial in store.trials(1)) < count:
        time.sleep(0.5)


def supervisors(store: Store, home: ExperimentFolder) -> dict[int, float]:
    """Every supervisor's process id, and when it was started."""
    found = {}
    for trial in store.trials(1):
        claim = json.loads(home.attempt(trial.number, trial.attempt).claim.read_bytes())
        found[claim["pid"]] = psutil.Process(claim["pid"]).create_time()
    return found


def steady_s(home: ExperimentFolder, begun: float) -> float:
    """Seconds since `begun` until a new leader has looked at every trial.

    Its first heartbeat begins the first look and its second one comes after that; a heart that
    beats is one that has recorded all it saw.
    """
    for _ in range(2):
        seen = home.heartbeat.stat().st_mtime_ns
        while home.heartbeat.stat().st_mtime_ns == seen:
            time.sleep(0.005)
    return time.monotonic() - begun


def measure(count: int = RUNNING) -> list[Row]:
    """Kills the leader of many running trials, resumes, compares, and stops everything."""
    with scratch() as folder:
        keys = {"command": ["sleep", "3600"], "budget": count, "parallel": count}
        write_experiment(folder, timeouts={"heartbeat": "10m"}, **keys)
        store = Store(folder / ".orchestrate")
        home = store.home.experiment(1)
        first = start(folder, "run", "experiment.yml")
        while not store.experiments():
            time.sleep(0.1)
        wait_until_running(store, count)
        before = supervisors(store, home)
        os.kill(first.pid, signal.SIGKILL)
        first.wait()
        begun = time.monotonic()
        second = start(folder, "resume")
        took_s = steady_s(home, begun)
        cpu_s = sum(psutil.Process(second.pid).cpu_times()[:2])
        after, attempts = supervisors(store, home), {t.attempt for t in store.trials(1)}
        restarted = count - len(before.items() & after.items())
        ending = time.monotonic()
        second.send_signal(signal.SIGTERM)
        second.wait()
        ended_s = time.monotonic() - ending
        store.close()
    if attempts != {1}:
        restarted = count
    what = (
        f"kill -9 of a leader with {count:,} running trials, then `resume`: every trial looked at"
    )
    measured = f"{took_s:.1f} s ({cpu_s:.1f} s of CPU), {restarted} restarted"
    return [
        Row("S5", what, measured, "<= 5 s, none restarted"),
        Row("S5", f"`orchestrate stop` of {count:,} running trials", f"{ended_s:.1f} s"),
    ]


if __name__ == "__main__":
    for row in measure(*map(int, sys.argv[1:])):
        print(row)
