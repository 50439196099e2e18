"""Inside a trial: parameters in, metrics out."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import sigopt_orchestrate
from sigopt_orchestrate import ReportError, worker


def test_metrics_are_appended_as_json_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "metrics.jsonl"
    monkeypatch.setenv(worker.METRICS, str(path))
    monkeypatch.setenv(worker.METRIC_NAMES, '["hr@10", "loss"]')
    sigopt_orchestrate.report(loss=1)
    sigopt_orchestrate.report(**{"hr@10": 0.5})
    assert [json.loads(line) for line in path.read_text().splitlines()] == [
        {"loss": 1.0},
        {"hr@10": 0.5},
    ]
    with pytest.raises(ReportError, match=r"unknown metric 'lost'.* metrics are hr@10, loss"):
        sigopt_orchestrate.report(lost=1)
    with pytest.raises(ReportError, match="'loss': 'low' is not a number"):
        sigopt_orchestrate.report(loss="low")  # type: ignore[arg-type]


def test_parameters_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(worker.PARAMETERS, '{"lr": 0.1, "act": "relu"}')
    assert sigopt_orchestrate.parameters() == {"lr": 0.1, "act": "relu"}


def test_by_hand_a_report_goes_nowhere_and_parameters_are_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(worker.METRICS, raising=False)
    monkeypatch.delenv(worker.PARAMETERS, raising=False)
    sigopt_orchestrate.report(anything=1)
    with pytest.raises(ReportError, match="not started by orchestrate"):
        sigopt_orchestrate.parameters()


@pytest.mark.parametrize(
    "program",
    ["import sigopt_orchestrate", "import sigopt_orchestrate.cli as c; c.orchestrate(['--help'])"],
)
def test_nothing_heavy_is_imported(program: str) -> None:
    heavy = {"torch", "numpy", "scipy", "botorch", "sqlalchemy", "pydantic", "rich", "plotly"}
    check = (
        f"import sys, atexit; atexit.register(lambda: print('HEAVY', {heavy} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", f"{check}; {program}"],
        capture_output=True,
        check=True,
        text=True,
        env={**os.environ, "PYTHONSAFEPATH": "1"},
    )
    assert "HEAVY set()" in done.stdout
