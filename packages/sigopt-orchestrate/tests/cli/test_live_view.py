"""The live view on real terminals of any size, and in a pipe."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

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
