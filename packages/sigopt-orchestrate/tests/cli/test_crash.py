"""orchestrate is killed with SIGKILL again and again; nothing is lost, nothing happens twice."""

import json
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from sigopt_orchestrate.executors.local import TOKEN_VARIABLE
from sigopt_orchestrate.lifecycle import ExperimentState
from sigopt_orchestrate.store import Store

BUDGET, KILLS = 150, 22


def kill_at_a_random_moment(command: list[str], folder: Path, chance: random.Random) -> bool:
    """Starts orchestrate and kills it; returns False if it was done before."""
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        running.stdout.readline()  # it is about to lead
        try:
            running.wait(timeout=chance.uniform(0.0, 0.6))
        except subprocess.TimeoutExpired:
            running.kill()
            return True
        return False


def carriers(tokens: set[str]) -> list[psutil.Process]:
    """Returns the processes that belong to one of these attempts."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(TOKEN_VARIABLE) in tokens:
                found.append(process)
        except psutil.Error:
            continue
    return found


@pytest.mark.slow
def test_twenty_kills_lose_nothing(experiment_file: Callable[..., str], tmp_path: Path) -> None:
    line = """sleep 0.2; printf '{{"y": %s}}' {x} > "$ORCHESTRATE_METRICS" """
    name = experiment_file(command=line, budget=BUDGET, parallel=4)
    orchestrate = [sys.executable, "-m", "sigopt_orchestrate"]
    chance, kills = random.Random(0), 0
    arguments = ["run", name]
    while kills < KILLS:
        assert kill_at_a_random_moment([*orchestrate, *arguments], tmp_path, chance), (
            f"the budget was used up after {kills} kills"
        )
        kills += 1
        arguments = ["resume", "1"]
    final = subprocess.run(
        [*orchestrate, "resume", "--json"], cwd=tmp_path, capture_output=True, check=True
    )
    assert json.loads(final.stdout)["observed"] == BUDGET

    store = Store.existing(tmp_path / ".orchestrate")
    trials = store.trials(1)
    query = store.connection.execute
    observed = [trial for (trial,) in query("SELECT trial_id FROM observations")]
    tokens = {token for (token,) in query("SELECT token FROM attempts")}
    over = "SELECT trial_id FROM events WHERE \"after\" IN ('completed', 'failed')"
    ends = Counter(trial for (trial,) in query(over))
    assert store.experiment(1).state is ExperimentState.COMPLETED
    assert len(observed) == len(set(observed)) == BUDGET
    assert ends == Counter(observed), "each trial ended once"
    assert [trial.number for trial in trials] == list(range(1, BUDGET + 1))
    assert all(trial.values == {"y": trial.assignments["x"]} for trial in trials)
    assert carriers(tokens) == [], "no process is left"

    for trial in trials:  # what has ended well is never run again
        folder = store.home.experiment(1)
        records = [folder.attempt(trial.number, k).exit for k in range(1, trial.attempt + 1)]
        good = [r for r in records if r.exists() and json.loads(r.read_bytes())["code"] == 0]
        assert good == records[-1:]
    store.close()
