"""Bad input: one clear sentence, exit status 2, no traceback, nothing half done."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Orchestrate = Callable[..., subprocess.CompletedProcess[str]]
Write = Callable[..., str]
X = {"name": "x", "type": "double", "bounds": {"min": 0, "max": 1}}


def complaint(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 2
    assert done.stderr.startswith("orchestrate: ")
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"budget": 0}, "budget: must be at least 1, not 0"),
        ({"colour": "red"}, "colour: unknown key"),
        ({"parameters": [X, X]}, "parameters[1]: 'x' is defined more than once"),
        ({"parameters": [X | {"bounds": {"min": 2, "max": 1}}]}, "min (2) must be below max (1)"),
        ({"parameters": [X | {"transformation": "log"}]}, "must be above 0"),
        ({"command": ["no-such-program"]}, "'no-such-program' is not a program"),
    ],
)
def test_a_bad_experiment_file(
    orchestrate: Orchestrate, experiment_file: Write, keys: dict[str, object], said: str
) -> None:
    assert said in complaint(orchestrate("run", experiment_file(**keys)))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["best", "9" * 23], "is not in the range 1<=x<=9223372036854775807"),
        (["run", "--", ""], "the command: is empty"),
        (["run", "--name", " ", "--", "true"], "--name: is empty"),
        (
            ["init", "-o", "missing/x.yml", "--name", "n", "--command", "true {x}", "--parameter",
             "x=0..1", "--metric", "y", "--budget", "3"],
            "missing/x.yml cannot be written: No such file",
        ),
    ],
)  # fmt: skip
def test_odd_arguments(orchestrate: Orchestrate, arguments: list[str], said: str) -> None:
    done = orchestrate(*arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_file_and_broken_yaml(orchestrate: Orchestrate, tmp_path: Path) -> None:
    assert "No such file" in complaint(orchestrate("run", "absent.yml"))
    (tmp_path / "broken.yml").write_text("name: [x\nbudget: 3")
    assert "broken.yml:2: not valid YAML" in complaint(orchestrate("run", "broken.yml"))
    assert not (tmp_path / ".orchestrate").exists()


def test_an_unknown_metric_in_a_report(orchestrate: Orchestrate, experiment_file: Write) -> None:
    line = """echo '{{"loss": 1}}' > "$ORCHESTRATE_METRICS" """
    said = complaint(orchestrate("run", experiment_file(command=line)))
    assert "unknown metric 'loss' in the report: the experiment's metrics are y" in said


@pytest.mark.parametrize("command", ["status", "resume", "best", "logs", "stop", "report"])
def test_what_is_not_there(orchestrate: Orchestrate, command: str) -> None:
    assert "no experiments here" in complaint(orchestrate(command))
