"""Outcomes are kept, taken up again, and told apart."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from bocl.cli import main
from bocl.comparing import compare
from bocl.comparison import Outcome, Outcomes, learn_tasks, markdown
from bocl.errors import CheckpointError, SettingsError
from bocl.streams.registry import make_stream

MATRIX = [[0.9, None], [0.7, 0.8]]


def test_measures_of_a_matrix_with_gaps():
    outcome = Outcome("made", "x", 0, MATRIX, 2, 1, 1.0)
    assert outcome.accuracy == pytest.approx(0.75)
    assert outcome.backward == pytest.approx(-0.2)
    unmeasured = Outcome("made", "x", 0, [[None, None], [0.7, 0.8]], 2, 1, 1.0)
    assert np.isnan(unmeasured.backward)
    assert "| - |" in markdown([[unmeasured]])


def test_outcomes_survive_on_disk_and_the_latest_counts(tmp_path):
    path = tmp_path / "deep" / "outcomes.jsonl"
    kept = Outcomes(path)
    kept.add(Outcome("made", "x", 0, MATRIX, 2, 1, 1.0))
    kept.add(Outcome("made", "x", 0, MATRIX, 3, 1, 1.0))
    kept.add(Outcome("made", "x", 1, MATRIX, 4, 1, 1.0))
    again = Outcomes(path)
    assert again.find("made", "x", 0).parameters == 3
    assert [outcome.seed for outcome in again.of("made", "x")] == [0, 1]
    assert again.find("made", "y", 0) is None
    path.write_text(path.read_text() + "{}\n")
    with pytest.raises(CheckpointError, match="line 4 of"):
        Outcomes(path)


def test_what_was_measured_is_not_measured_again(tmp_path):
    lines = []
    outcomes = Outcomes(tmp_path / "outcomes.jsonl")
    asked = {"tasks": 2, "epochs": 1, "report": lines.append}
    methods = ["fine-tune", "equal-size"]
    first = compare("permuted-digits", methods, outcomes, **asked)
    told = len(lines)
    taken_up = Outcomes(tmp_path / "outcomes.jsonl")
    again = compare("permuted-digits", methods, taken_up, **asked)
    assert first == again
    assert len(lines) == told
    late = ["equal-size", "bocl"]
    both = compare("permuted-digits", late, outcomes, **asked)
    assert compare("permuted-digits", late, outcomes, **asked) == both
    with pytest.raises(CheckpointError, match="total = 13140; this comparison has"):
        compare("permuted-digits", ["bocl", "equal-size"], outcomes, **asked)
    with pytest.raises(CheckpointError, match="tasks = 2; this comparison has 3"):
        compare("permuted-digits", ["fine-tune"], outcomes, tasks=3)
    with pytest.raises(CheckpointError, match="tasks = 2; this comparison has 5"):
        compare("permuted-digits", ["fine-tune"], outcomes)
    with pytest.raises(CheckpointError, match="epochs = 1; this comparison has 30"):
        compare("permuted-digits", ["fine-tune"], outcomes, tasks=2)
    with pytest.raises(CheckpointError, match="total = 13140; this comparison has 52"):
        compare("permuted-digits", ["equal-size"], outcomes, tasks=2, epochs=1, total=8.0)
    with pytest.raises(SettingsError, match="method is 'ewk'"):
        compare("permuted-digits", ["ewk"], outcomes)


def test_rows_of_the_matrix_are_measured_after_each_task():
    class Counting:
        def __init__(self):
            self.fitted, self.parameters, self.cpu_s = 0, 0, 0.0

        def fit_task(self, train):  # noqa: ARG002
            self.fitted += 1

        def predict(self, inputs, task):
            return np.full(len(inputs), 10 * self.fitted + task)

    tasks = list(make_stream("permuted-digits", 3))
    method = Counting()
    matrix = learn_tasks(method, tasks)
    assert method.fitted == 3
    assert not np.isnan(matrix[np.tril_indices(3)]).any()
    assert np.isnan(matrix[np.triu_indices(3, 1)]).all()
    assert np.isnan(learn_tasks(Counting(), tasks, every_row=False)[:2]).all()


def test_the_command_prints_a_table_and_writes_a_page(tmp_path):
    arguments = ["compare", "--tasks", "2", "--epochs", "1", "--out", str(tmp_path)]
    result = CliRunner().invoke(main, [*arguments, "--methods", "separate,packnet"])
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout.splitlines()[-1])
    assert set(found["accuracy"]) == {"separate", "packnet"}
    assert (tmp_path / "comparison.html").read_text().startswith("<!doctype html>")
    wrong = CliRunner().invoke(main, [*arguments, "--methods", "nothing"])
    assert wrong.exit_code == 2
    assert "method is 'nothing'" in wrong.stderr


def test_report_and_export_of_a_run(tmp_path):
    run = tmp_path / "run"
    arguments = ["run", "--tasks", "2", "--epochs", "2", "--trials", "2", "--out", str(run)]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    assert (run / "report.html").exists()
    page = tmp_path / "page.html"
    result = CliRunner().invoke(main, ["report", str(run), "--out", str(page)])
    assert result.exit_code == 0
    assert page.read_text() == (run / "report.html").read_text()
    result = CliRunner().invoke(main, ["export", str(run), "--task", "2"])
    assert result.exit_code == 2
    assert "task 2 is unknown" in result.stderr
    result = CliRunner().invoke(main, ["report", str(tmp_path)])
    assert result.exit_code == 2
    assert "learner.json" in result.stderr
