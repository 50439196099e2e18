"""What a user does, from `run` to `report`."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Orchestrate = Callable[..., subprocess.CompletedProcess[str]]
Write = Callable[..., str]


def test_from_run_to_report(
    orchestrate: Orchestrate, experiment_file: Write, tmp_path: Path
) -> None:
    ran = orchestrate("run", experiment_file(), "--json")
    assert ran.returncode == 0, ran.stderr
    summary = json.loads(ran.stdout)
    assert (summary["state"], summary["observed"]) == ("completed", 4)
    assert summary["trials"] == {"completed": 4}
    assert summary["objectives"] == {"y": "maximize"}
    assert "[4/4] trial" in ran.stderr, "progress goes to stderr as plain lines"

    status = json.loads(orchestrate("status", "--json").stdout)
    values = [trial["values"]["y"] for trial in status["trials"]]
    assert values == [trial["assignments"]["x"] for trial in status["trials"]]

    (best,) = json.loads(orchestrate("best", "1", "--json").stdout)
    assert best["values"]["y"] == max(values)
    assert Path(best["output"]).is_dir()

    (listed,) = json.loads(orchestrate("list", "--json").stdout)
    assert (listed["id"], listed["name"], listed["state"]) == (1, "quick", "completed")

    logs = orchestrate("logs").stdout.splitlines()
    assert logs == [f"{t['number']:>4} | trial {t['assignments']['x']}" for t in status["trials"]]
    lines = orchestrate("logs", "--trial", "2", "--json", "-f").stdout
    assert json.loads(lines) == {"trial": 2, "attempt": 1, "line": f"trial {values[1]!r}"}

    assert orchestrate("report", "-o", "page.html").stdout == "page.html\n"
    page = (tmp_path / "page.html").read_text()
    assert "quick" in page
    assert page.rstrip().endswith("</html>")

    orchestrate("run", experiment_file())
    (tmp_path / "notes.txt").write_text("what we learned")
    both = orchestrate("report", "1", "2", "--notes", "notes.txt", "-o", "both.html", "--json")
    assert json.loads(both.stdout) == {"experiments": [1, 2], "report": "both.html"}
    page = (tmp_path / "both.html").read_text()
    assert "what we learned" in page
    assert "experiment-2-trial-4" in page


def test_people_get_tables(orchestrate: Orchestrate, experiment_file: Write) -> None:
    ran = orchestrate("run", experiment_file())
    assert ran.returncode == 0
    assert "best trial" in ran.stdout
    assert "completed: 4/4 observed" in orchestrate("status").stdout
    assert "best trial" in orchestrate("best").stdout
    assert "4/4" in orchestrate("list").stdout
    assert "is completed already" in orchestrate("stop").stdout


def test_two_objectives_give_a_pareto_front(
    orchestrate: Orchestrate, experiment_file: Write
) -> None:
    line = """printf '{{"y": %s, "cost": %s}}' {x} {x} > "$ORCHESTRATE_METRICS" """
    metrics = [{"name": "y"}, {"name": "cost", "objective": "minimize"}]
    ran = orchestrate("run", experiment_file(command=line, metrics=metrics), "--json")
    assert len(json.loads(ran.stdout)["best"]) == 4, "no trial is better in both"


def test_when_every_trial_fails_the_status_says_so(
    orchestrate: Orchestrate, experiment_file: Write
) -> None:
    ran = orchestrate("run", experiment_file(command="echo no data >&2; exit 9"))
    assert ran.returncode == 1
    assert "failed: exit status 9: no data" in ran.stdout
    assert "every trial failed" in ran.stdout


@pytest.mark.parametrize("how", ["stop", "ctrl-c", "stop after a crash"])
def test_stop_ends_everything_and_resume_goes_on(
    orchestrate: Orchestrate, experiment_file: Write, tmp_path: Path, how: str
) -> None:
    blocked = """[ -e go ] || {{ echo up > fifo; exec sleep 600; }}; """
    report = """printf '{{"y": %s}}' {x} > "$ORCHESTRATE_METRICS" """
    arguments = ["run", experiment_file(command=blocked + report)]
    subprocess.run(["mkfifo", tmp_path / "fifo"], check=True)
    command = [sys.executable, "-m", "sigopt_orchestrate", *arguments]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL) as running:
        assert "up" in (tmp_path / "fifo").read_text()  # opens once a trial runs
        if how == "stop":
            assert orchestrate("stop").stdout == "experiment 1 is stopping\n"
        elif how == "ctrl-c":
            running.send_signal(signal.SIGINT)
        else:
            running.kill()
        code = running.wait(timeout=60)
    if how == "stop after a crash":
        assert json.loads(orchestrate("status", "--json").stdout)["state"] == "interrupted"
        assert "orchestrate resume 1" in orchestrate("status").stdout
        (tmp_path / "fifo").unlink()  # a trial that starts only now must not wait for a reader
        assert orchestrate("stop").returncode == 0
    else:
        assert code == 3
    assert json.loads(orchestrate("status", "--json").stdout)["state"] == "stopped"
    (tmp_path / "go").touch()
    resumed = orchestrate("resume", "--json")
    assert (resumed.returncode, json.loads(resumed.stdout)["observed"]) == (0, 4)


def test_a_second_orchestrate_is_turned_away(
    orchestrate: Orchestrate, experiment_file: Write, tmp_path: Path
) -> None:
    subprocess.run(["mkfifo", tmp_path / "fifo"], check=True)
    arguments = ["run", experiment_file(command="echo up > fifo; exec sleep 600")]
    command = [sys.executable, "-m", "sigopt_orchestrate", *arguments]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL) as running:
        assert "up" in (tmp_path / "fifo").read_text()
        second = orchestrate("resume")
        assert second.returncode == 2
        assert second.stderr == (
            "orchestrate: experiment 1 is already run by another orchestrate\n"
        )
        running.send_signal(signal.SIGTERM)
        assert running.wait(timeout=60) == 3
