"""The live view on real terminals of any size, and in a pipe."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from sigopt_orchestrate.cli.progress import PlainLines
from sigopt_orchestrate.lifecycle import ExperimentState
from sigopt_orchestrate.spec import Experiment
from sigopt_orchestrate.store import Ledger, Store

pexpect = pytest.importorskip("pexpect")
Write = Callable[..., str]
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


@pytest.mark.parametrize(("lines", "columns"), [(24, 100), (10, 34)])
def test_the_view_fits_the_terminal_and_leaves_the_result(
    experiment_file: Write, tmp_path: Path, lines: int, columns: int
) -> None:
    waits = """while [ ! -e go ]; do sleep 0.02; done; printf '{{"y": %s}}' {x} > """
    name = "a name that is rather longer than a narrow terminal has room for"
    experiment_file(command=waits + '"$ORCHESTRATE_METRICS"', name=name)
    running = pexpect.spawn(
        sys.executable,
        ["-m", "sigopt_orchestrate", "run", "experiment.yml"],
        cwd=str(tmp_path),
        dimensions=(lines, columns),
        timeout=60,
        encoding="utf-8",
    )
    running.expect("running|1  *[0-9]+ s")
    (tmp_path / "go").touch()
    running.expect("best trial")
    running.expect(pexpect.EOF)
    running.close()
    assert running.exitstatus == 0


def test_ctrl_c_in_the_terminal_stops_and_says_how_to_go_on(
    experiment_file: Write, tmp_path: Path
) -> None:
    experiment_file(command="sleep 600")
    running = pexpect.spawn(
        sys.executable,
        ["-m", "sigopt_orchestrate", "run", "experiment.yml"],
        cwd=str(tmp_path),
        timeout=60,
        encoding="utf-8",
    )
    running.expect("running")
    running.sendintr()
    running.expect("`orchestrate resume 1` goes on")
    running.expect(pexpect.EOF)
    running.close()
    assert running.exitstatus == 3


@pytest.mark.parametrize(
    ("reason", "line"),
    [(None, "[0/4] trial 1 stopped  x=0.5"), ("why", "[0/4] trial 1 stopped: why  x=0.5")],
)
def test_in_a_pipe_a_stopped_trial_is_one_line_with_its_reason_if_it_has_one(
    store: Store, make_spec: Callable[..., Experiment], reason: str | None, line: str
) -> None:
    console = Console(record=True, quiet=False, width=200)
    experiment = store.create_experiment(make_spec(budget=4), Path("/"))
    ledger = Ledger(store, experiment.id)
    ledger.add_trial({"x": 0.5}, "default")
    ended = ledger.end(ExperimentState.STOPPED, reason)
    PlainLines(console)(ended, ledger.trials(), ledger.trials())
    assert console.export_text() == line + "\n"


def test_init_asks_for_what_it_was_not_told(tmp_path: Path) -> None:
    asking = pexpect.spawn(
        sys.executable,
        ["-m", "sigopt_orchestrate", "init", "--budget", "7"],
        cwd=str(tmp_path),
        timeout=60,
        encoding="utf-8",
    )
    for question, answer in (
        ("Name", "asked"),
        ("Command", "python train.py {rate}"),
        ("Parameter", "rate=1..nonsense"),
        ("must be like|is not a number", ""),
        ("Parameter", "rate=1e-3..1:log"),
        ("Another", "kind=a,b"),
        ("Another", ""),
        ("Metric", "loss:minimize"),
        ("Another", ""),
        ("at a time", "2"),
    ):
        asking.expect(question)
        if answer or question == "Another":
            asking.sendline(answer)
    asking.expect("is written")
    asking.expect(pexpect.EOF)
    checked = subprocess.run(
        [sys.executable, "-m", "sigopt_orchestrate", "validate", "experiment.yml", "--json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert '"budget": 7' in checked.stdout
    assert '"transformation": "log"' in checked.stdout


def test_in_a_pipe_there_are_plain_lines(experiment_file: Write, tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "sigopt_orchestrate", "run", experiment_file()],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert not ESCAPES.search(ran.stdout)
    assert "[4/4] trial" in ran.stdout
