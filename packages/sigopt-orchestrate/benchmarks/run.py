"""Measures what a trial costs beside its own work; peers in the same run.

`make bench P=sigopt-orchestrate` prints the table that the README shows. CPU seconds are those of
this process and its children; compare ratios, not absolute figures.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import optuna

from sigopt_orchestrate.lifecycle import TrialState
from sigopt_orchestrate.spec import Experiment
from sigopt_orchestrate.store import Ledger, Store

TRIALS = 300
SPAWNED = 60
REPEATS = 3
SPACE = {"name": "x", "type": "double", "bounds": {"min": 0, "max": 1}}
SPEC = {
    "name": "no-op",
    "command": """printf '{{"y": %s}}' {x} > "$ORCHESTRATE_METRICS" """,
    "parameters": [SPACE],
    "metrics": [{"name": "y"}],
    "optimizer": {"algorithm": "random"},
}


def cpu_s() -> float:
    """CPU seconds of this process and of its children that have ended."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def best_cpu_s(work: Callable[[Path], object]) -> float:
    """The least CPU seconds of some runs of `work`, each in an empty folder."""
    seconds = []
    for _ in range(REPEATS):
        with tempfile.TemporaryDirectory() as folder:
            before = cpu_s()
            work(Path(folder))
            seconds.append(cpu_s() - before)
    return min(seconds)


def ours_stored(folder: Path) -> None:
    """Every state of every trial, committed to disk one by one."""
    store = Store(folder)
    spec = Experiment.model_validate({**SPEC, "budget": TRIALS})
    ledger = Ledger(store, store.create_experiment(spec, folder).id)
    for index in range(TRIALS):
        added = ledger.add_trial({"x": index / TRIALS}, "quasi-random")
        if added is None:
            raise RuntimeError("the budget ended early")
        trial = ledger.lease(added)
        for state in (TrialState.SUBMITTED, TrialState.RUNNING, TrialState.REPORTING):
            trial = ledger.advance(trial, state)
        ledger.observe(trial, {"y": 1.0})
    store.close()


def optuna_stored(folder: Path) -> None:
    """The peer's no-op trials: three states, committed to SQLite."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.RandomSampler(seed=0)
    study = optuna.create_study(storage=f"sqlite:///{folder / 'optuna.db'}", sampler=sampler)
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=TRIALS)


def ours_run(folder: Path) -> None:
    """A whole `orchestrate run` with a shell process for each trial."""
    (folder / "experiment.yml").write_text(json.dumps({**SPEC, "budget": SPAWNED, "parallel": 2}))
    command = [sys.executable, "-m", "sigopt_orchestrate", "run", "experiment.yml", "--json"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


def python(*arguments: str) -> Callable[[Path], object]:
    """A fresh interpreter with these arguments."""
    return lambda folder: subprocess.run(
        [sys.executable, *arguments], cwd=folder, check=True, stdout=subprocess.DEVNULL
    )


def main() -> None:
    """Prints the table."""
    ours, peer = best_cpu_s(ours_stored) / TRIALS, best_cpu_s(optuna_stored) / TRIALS
    run = best_cpu_s(ours_run) / SPAWNED
    imported = best_cpu_s(python("-c", "import sigopt_orchestrate"))
    helped = best_cpu_s(python("-m", "sigopt_orchestrate", "--help"))
    rows = [
        ("a no-op trial in the store, six durable steps", ours, "1"),
        ("a no-op trial in Optuna's SQLite storage", peer, f"{peer / ours:.1f}"),
        ("a trial of `orchestrate run`, all processes included", run, ""),
        ("`import sigopt_orchestrate`, interpreter included", imported, ""),
        ("`orchestrate --help`, interpreter included", helped, ""),
    ]
    print(f"{os.cpu_count()} cores, Python {sys.version.split()[0]}, Optuna {optuna.__version__}\n")
    print("| what | CPU | ratio |\n| --- | --- | --- |")
    for what, seconds, ratio in rows:
        print(f"| {what} | {seconds * 1e3:.1f} ms | {ratio} |")


if __name__ == "__main__":
    main()
