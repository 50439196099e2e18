"""S1: what it costs to keep a trial, and to start a process for it; Optuna and Ray Tune beside."""

import json
import os
import subprocess
import time
from pathlib import Path

import optuna
from measuring import ORCHESTRATE, Row, environment, least_cpu_s, scratch, write_experiment

from sigopt_orchestrate.lifecycle import TrialState
from sigopt_orchestrate.spec import load_experiment
from sigopt_orchestrate.store import Ledger, Store

STORED, SPAWNED, IN_FLIGHT = 1920, 300, 64
PEER = 200
RAY = Path(__file__).with_name("ray_peer.py")


def ours(folder: Path, in_flight: int, trials: int) -> None:
    """Six steps for every trial, each on disk before its next; those of a group in one flush."""
    spec = load_experiment(write_experiment(folder, budget=trials))
    store = Store(folder)
    ledger = Ledger(store, store.create_experiment(spec, folder).id)
    for first in range(0, trials, in_flight):
        with ledger.group():
            given = [{"x": (first + index) / trials} for index in range(in_flight)]
            added = [ledger.add_trial(assignments, "quasi-random") for assignments in given]
        with ledger.group():
            group = [ledger.lease(trial) for trial in added if trial is not None]
        for state in (TrialState.SUBMITTED, TrialState.RUNNING, TrialState.REPORTING):
            with ledger.group():
                group = [ledger.advance(trial, state) for trial in group]
        with ledger.group():
            for trial in group:
                ledger.report(str(trial.token), {"y": 1.0})
    if ledger.roster.observed != trials:
        raise RuntimeError("trials are missing")
    store.close()


def optunas(folder: Path) -> None:
    """The peer's no-op trials: each of its steps a commit that SQLite flushes to the disk."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.RandomSampler(seed=0)
    study = optuna.create_study(storage=f"sqlite:///{folder / 'optuna.db'}", sampler=sampler)
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=PEER)


def spawned_per_s() -> float:
    """Trials per second of wall time of a whole `orchestrate run`, a shell process each."""
    with scratch() as folder:
        write_experiment(folder, budget=SPAWNED, parallel=2)
        command = [*ORCHESTRATE, "run", "experiment.yml", "--json"]
        started = time.monotonic()
        subprocess.run(command, cwd=folder, env=environment(), check=True, capture_output=True)
        return SPAWNED / (time.monotonic() - started)


def rays() -> tuple[str, float] | None:
    """Ray Tune's version and its no-op trials per second, where $RAY_PYTHON has one.

    It has a hundred dependencies, and so an environment of its own.
    """
    if "RAY_PYTHON" not in os.environ:
        return None
    with scratch() as folder:
        command = [os.environ["RAY_PYTHON"], str(RAY), str(folder)]
        ran = subprocess.run(command, check=True, capture_output=True, text=True)
    found = json.loads(ran.stdout.splitlines()[-1])
    return found["version"], found["trials_per_s"]


def measure() -> list[Row]:
    """Measures all of them in one run."""
    grouped = STORED / least_cpu_s(lambda folder: ours(folder, IN_FLIGHT, STORED))
    single = PEER / least_cpu_s(lambda folder: ours(folder, 1, PEER))
    peer = PEER / least_cpu_s(optunas)
    rows = [
        Row("S1", f"Optuna {optuna.__version__} on SQLite, no-op trials", f"{peer:.0f} per CPU-s"),
        Row(
            "S1",
            f"ours, six durable steps each, {IN_FLIGHT} trials in flight: one flush a step",
            f"{grouped:.0f} per CPU-s: {grouped / peer:.0f} x Optuna",
            ">= 20 x",
        ),
        Row(
            "S1",
            "ours, one trial at a time: six flushes a trial",
            f"{single:.0f} per CPU-s: {single / peer:.0f} x Optuna",
        ),
    ]
    spawned, ray = spawned_per_s(), rays()
    if ray is None:
        return [*rows, Row("S1", "`orchestrate run`, a process each", f"{spawned:.0f} per s")]
    version, rate = ray
    measured = f"{spawned:.0f} per s: {spawned / rate:.0f} x Ray Tune"
    return [
        *rows,
        Row("S1", f"Ray Tune {version}, no-op trials, 2 at a time", f"{rate:.2f} per s"),
        Row("S1", "`orchestrate run`, a shell process each, 2 at a time", measured, ">= 50 x"),
    ]
