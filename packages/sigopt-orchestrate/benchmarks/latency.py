"""S2: from the end of a trial to the start of the next, with many trials stored."""

import subprocess
from pathlib import Path

from measuring import ORCHESTRATE, Row, environment, scratch, write_experiment

from sigopt_orchestrate.lifecycle import TrialState
from sigopt_orchestrate.spec import load_experiment
from sigopt_orchestrate.store import Ledger, Store

STORED, MEASURED = 2000, 200
# The shell's own clock would take a process: the times are the files' that it touches.
COMMAND = (
    """: > "$ORCHESTRATE_OUTPUT/start"; printf '{{"y": %s}}' {x} > "$ORCHESTRATE_METRICS"; """
    """: > "$ORCHESTRATE_OUTPUT/end" """
)


def fill(store: Store, spec_file: Path) -> None:
    """Stores an experiment that is almost through."""
    experiment = store.create_experiment(load_experiment(spec_file), spec_file.parent)
    ledger = Ledger(store, experiment.id)
    with ledger.group():
        for index in range(STORED):
            added = ledger.add_trial({"x": index / STORED}, "quasi-random")
            if added is None:
                raise RuntimeError("the budget ended early")
            leased = ledger.lease(added)
            running = ledger.advance(leased, TrialState.RUNNING)
            ledger.report(str(running.token), {"y": 1.0})


def gaps_ms(parallel: int) -> list[float]:
    """Runs the rest, and returns the pause in each slot between one trial and the next."""
    with scratch() as folder:
        keys = {"command": COMMAND, "budget": STORED + MEASURED, "parallel": parallel}
        store = Store(folder / ".orchestrate")
        fill(store, write_experiment(folder, **keys))
        command = [*ORCHESTRATE, "resume", "--json"]
        subprocess.run(command, cwd=folder, env=environment(), check=True, capture_output=True)
        home = store.home.experiment(1)
        outputs = [
            home.attempt(trial.number, trial.attempt).output for trial in store.trials(1)[STORED:]
        ]
        store.close()
        starts = sorted((output / "start").stat().st_mtime_ns for output in outputs)
        ends = sorted((output / "end").stat().st_mtime_ns for output in outputs)
    # The slot that the k-th end has freed is the (k + parallel)-th start's.
    pairs = zip(ends, starts[parallel:], strict=False)
    return sorted((start - end) / 1e6 for end, start in pairs)


def measure() -> list[Row]:
    """Measures one slot at a time and two."""
    rows = []
    for parallel in (1, 2):
        gaps = gaps_ms(parallel)
        p50, p99 = gaps[len(gaps) // 2], gaps[int(len(gaps) * 0.99)]
        what = f"end of a trial to start of the next, {STORED:,} stored, {parallel} at a time"
        measured = f"p50 {p50:.0f} ms, p99 {p99:.0f} ms"
        rows.append(Row("S2", what, measured, "p50 <= 50 ms, p99 <= 250 ms"))
    return rows
