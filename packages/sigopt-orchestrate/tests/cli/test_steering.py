"""Pausing, retrying, ending one trial early; single runs and `optimize`."""

import json
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sigopt_orchestrate.server.accounts import create_client
from sigopt_orchestrate.server.authentication import Caller
from sigopt_orchestrate.server.pages.relation import relation_of, totals
from sigopt_orchestrate.server.pages.subjects import find_subject
from sigopt_orchestrate.store.database import open_database, writing

Orchestrate = Callable[..., subprocess.CompletedProcess[str]]
Write = Callable[..., str]
RUN = [sys.executable, "-m", "sigopt_orchestrate", "run", "experiment.yml"]


def status(orchestrate: Orchestrate) -> Any:
    return json.loads(orchestrate("status", "--json").stdout)


def best_of_the_pages(folder: Path) -> dict[str, float]:
    """What the server's pages call the best of experiment 1, by the database's own arithmetic."""
    engine = open_database(folder / ".orchestrate" / "orchestrate.db")
    try:
        with writing(engine) as tx:
            client = create_client(tx, "somebody")
            caller = Caller(1, client, "admin", None, None, None)
            return totals(tx, relation_of(tx, find_subject(tx, caller, "local", 1))).best
    finally:
        engine.dispose()


def test_a_paused_experiment_starts_nothing_until_it_is_resumed(
    orchestrate: Orchestrate, experiment_file: Write, tmp_path: Path
) -> None:
    waits = """echo up > fifo; until [ -e go ]; do sleep 0.05; done; """
    report = """printf '{{"y": 1}}' > "$ORCHESTRATE_METRICS" """
    experiment_file(command=waits + report, parallel=1, budget=3)
    subprocess.run(["mkfifo", tmp_path / "fifo"], check=True)
    with subprocess.Popen(RUN, cwd=tmp_path, stdout=subprocess.DEVNULL) as running:
        assert "up" in (tmp_path / "fifo").read_text()
        assert orchestrate("pause", "--json").returncode == 0
        (tmp_path / "go").touch()
        while status(orchestrate)["observed"] == 0:  # the one that ran ends
            time.sleep(0.05)
        held = status(orchestrate)
        assert running.poll() is None
        assert (held["observed"], held["state"]) == (1, "paused")
        (tmp_path / "fifo").unlink()
        assert "goes on" in orchestrate("resume").stdout
        assert running.wait(60) == 0
    assert status(orchestrate)["observed"] == 3


def test_a_failed_trial_is_retried_beyond_the_budget_and_stays_on_record(
    orchestrate: Orchestrate, experiment_file: Write, tmp_path: Path
) -> None:
    fails = """[ -e mended ] || exit 7; printf '{{"y": %s}}' {x} > "$ORCHESTRATE_METRICS" """
    ran = orchestrate("run", experiment_file(command=fails, budget=2))
    assert ran.returncode == 1
    (tmp_path / "mended").touch()
    assert orchestrate("retry", "--json").returncode == 0
    held = status(orchestrate)
    first, _second, third, _fourth = held["trials"]
    assert (held["budget"], held["observed"]) == (4, 4)
    assert [trial["state"] for trial in held["trials"]] == ["failed"] * 2 + ["completed"] * 2
    assert third["source"] == "retry of 1"
    assert third["assignments"] == first["assignments"]
    refused = orchestrate("retry", "--trial", "3")
    assert refused.returncode == 2
    assert "trial 3 of experiment 1 is completed; only failed trials are retried" in refused.stderr
    assert orchestrate("retry").stdout == "no trial has failed\n", "each has been retried"


def test_the_best_and_the_defaults_run_again_and_only_repeats_say_what_was_gained(
    orchestrate: Orchestrate, experiment_file: Write, tmp_path: Path
) -> None:
    """y is x and the trial's number, so each repeat has another y."""
    program = """printf '{{"y": %s%s}}' {x} "$ORCHESTRATE_TRIAL" > "$ORCHESTRATE_METRICS" """
    given = {"name": "x", "type": "double", "bounds": {"min": 0.1, "max": 1}, "default": 0.5}
    file = experiment_file(command=program, parameters=[given], parallel=1, budget=3, optimizer={})
    ran = orchestrate("run", file)
    assert "the defaults" in ran.stdout
    assert "once; `orchestrate confirm` runs both again" in ran.stdout
    best = json.loads(orchestrate("best", "--json").stdout)[0]["number"]
    assert best != 1
    told = json.loads(orchestrate("confirm", "--times", "2", "--json").stdout)
    held = status(orchestrate)
    again = [trial for trial in held["trials"] if trial["source"].startswith("repeat of")]
    assert [trial["source"] for trial in again] == ["repeat of 1", f"repeat of {best}"] * 2
    assert held["budget"] == held["observed"] == 7
    assert held["best"][0]["number"] == best, "a repeat does not compete"
    assert max(t["values"]["y"] for t in again) > held["best"][0]["values"]["y"]
    assert best_of_the_pages(tmp_path) == held["best"][0]["values"]
    defaults, other = told["confirmed"]
    means = [sum(t["values"]["y"] for t in again[i::2]) / 2 for i in (0, 1)]
    assert defaults["metrics"]["y"]["mean"] == pytest.approx(means[0])
    assert other["gain"]["y"]["size"] == pytest.approx(means[1] - means[0])
    spread = [abs(again[i + 2]["values"]["y"] - again[i]["values"]["y"]) / 2 for i in (0, 1)]
    assert other["gain"]["y"]["error"] == pytest.approx((spread[0] ** 2 + spread[1] ** 2) ** 0.5)
    assert "by repeats alone" in orchestrate("best").stdout
    page = Path(orchestrate("report").stdout.strip()).read_text()
    assert "By repeats alone" in page
    assert orchestrate("confirm", "--trial", "99").returncode == 2


def test_a_search_that_was_stopped_is_confirmed_as_far_as_it_came(
    orchestrate: Orchestrate, experiment_file: Write, tmp_path: Path
) -> None:
    """The third trial ends the orchestrate that runs it, as Ctrl-C would."""
    ends = """[ "$ORCHESTRATE_TRIAL" != 3 ] || { kill -INT "$(cat leader)"; sleep 60; }; """
    report = """printf '{{"y": %s}}' {x} > "$ORCHESTRATE_METRICS" """
    given = {"name": "x", "type": "double", "bounds": {"min": 0.1, "max": 1}, "default": 0.1}
    ends = ends.replace("{ ", "{{ ").replace("; }", "; }}")
    experiment_file(command=ends + report, parameters=[given], parallel=1, budget=9, optimizer={})
    run = ["sh", "-c", f"echo $$ > leader; exec {shlex.join(RUN)}"]
    ran = subprocess.run(run, cwd=tmp_path, stdout=subprocess.DEVNULL, check=False)
    assert ran.returncode == 3
    assert orchestrate("confirm", "--times", "2").returncode == 0
    held = status(orchestrate)
    assert held["observed"] == held["budget"] == 2 + 4
    states = [trial["state"] for trial in held["trials"]]
    assert states == ["completed"] * 2 + ["stopped"] + ["completed"] * 4


def test_a_trial_that_is_told_to_end_does_so_at_its_next_checkpoint(
    orchestrate: Orchestrate, experiment_file: Write, tmp_path: Path
) -> None:
    program = tmp_path / "train.py"
    program.write_text(
        "import time\nfrom sigopt_orchestrate import report\n"
        "open('fifo', 'w').write('up')\nstep = 0\n"
        "while not report(step=step, y=step):\n    step += 1\n    time.sleep(0.02)\n"
    )
    experiment_file(command=[sys.executable, "train.py"], parallel=1, budget=1)
    subprocess.run(["mkfifo", tmp_path / "fifo"], check=True)
    with subprocess.Popen(RUN, cwd=tmp_path, stdout=subprocess.DEVNULL) as running:
        assert "up" in (tmp_path / "fifo").read_text()
        while status(orchestrate)["trials"][0]["state"] != "running":
            time.sleep(0.05)
        assert orchestrate("stop", "--trial", "1").stdout == "trial 1 is told to end\n"
        assert running.wait(60) == 0
    assert status(orchestrate)["observed"] == 1


def test_a_single_run_keeps_whatever_it_reports(orchestrate: Orchestrate) -> None:
    says = 'echo "{brace}"; echo \'{"any": 3}\' >> $ORCHESTRATE_METRICS'
    ran = orchestrate("run", "--name", "once", "--", "sh", "-c", says)
    assert ran.returncode == 0, ran.stderr
    assert "any = 3" in ran.stdout
    assert "{brace}" in orchestrate("logs").stdout
    assert orchestrate("run", "--", "false").returncode == 1
    assert orchestrate("run", "false").returncode == 2, "one word is a file"
    assert orchestrate("best", "1").returncode == 0
    assert orchestrate("report", "1").returncode == 0


def test_optimize_takes_the_command_from_the_line_and_sigopts_own_file(
    orchestrate: Orchestrate, tmp_path: Path
) -> None:
    (tmp_path / "experiment.yml").write_text(
        "name: old\nparameters:\n- {name: x, type: double, bounds: {min: 0, max: 1}}\n"
        "metrics:\n- {name: y, objective: minimize}\nbudget: 3\nparallel_bandwidth: 2\n"
        "type: random\n"
    )
    line = ["sh", "-c", 'echo "{{\\"y\\": $1}}" > $ORCHESTRATE_METRICS', "sh", "{x}"]
    ran = orchestrate("optimize", "-e", "experiment.yml", *line)
    assert ran.returncode == 0, ran.stderr
    assert "parallel_bandwidth: is parallel now" in ran.stderr
    held = json.loads(orchestrate("status", "--json").stdout)
    assert held["observed"] == 3
