"""What an attempt's end means."""

from collections.abc import Callable
from pathlib import Path

import pytest

from sigopt_orchestrate.executors import Exit
from sigopt_orchestrate.reconcile.outcome import (
    Failed,
    Interrupted,
    Misconfigured,
    Observed,
    OutOfMemory,
    Stopped,
    read_outcome,
)
from sigopt_orchestrate.spec import Experiment
from sigopt_orchestrate.store import AttemptFolder, Checkpoint, read_checkpoints

SPEC = {"metrics": [{"name": "y"}, {"name": "s", "strategy": "store"}], "timeouts": {"trial": 9}}


@pytest.mark.parametrize(
    ("report", "values"),
    [
        ('{"y": 1}\n', {"y": 1.0}),
        ('{"y": 1}\n\n{"y": 2, "s": 3}\n', {"y": 2.0, "s": 3.0}),
        ('{"y": -1e300}', {"y": -1e300}),
    ],
)
def test_the_last_value_of_each_metric_counts(
    make_spec: Callable[..., Experiment], tmp_path: Path, report: str, values: dict[str, float]
) -> None:
    folder = AttemptFolder(tmp_path)
    folder.metrics.write_text(report)
    assert read_outcome(make_spec(**SPEC), folder, Exit(0)) == Observed(values)


@pytest.mark.parametrize(
    ("report", "reason"),
    [
        (None, "metric 'y' was not reported"),
        ('{"s": 1}', "metric 'y' was not reported"),
        ('{"y": NaN}', "metric 'y' is nan, which is not finite"),
        ('{"y": Infinity}', "metric 'y' is inf, which is not finite"),
        ('{"y": "high"}', "metric 'y' is 'high', which is not a number"),
        ('{"y": true}', "metric 'y' is True, which is not a number"),
        ('{"y": 1}\n{"y"', "line 2 of the report is not a JSON object"),
        ("[1]", "line 1 of the report is not a JSON object"),
        ("[" * 100_000, "line 1 of the report is not a JSON object"),
        (f'{{"y": 1{"0" * 400}}}', "metric 'y' is beyond 1e308, which is not finite"),
    ],
)
def test_a_bad_report_is_a_failure_with_a_reason(
    make_spec: Callable[..., Experiment], tmp_path: Path, report: str | None, reason: str
) -> None:
    folder = AttemptFolder(tmp_path)
    if report is not None:
        folder.metrics.write_text(report)
    assert read_outcome(make_spec(**SPEC), folder, Exit(0)) == Failed(reason)


def test_a_report_that_is_no_file_is_a_failure(
    make_spec: Callable[..., Experiment], tmp_path: Path
) -> None:
    folder = AttemptFolder(tmp_path)
    folder.metrics.mkdir()
    end = read_outcome(make_spec(**SPEC), folder, Exit(0))
    assert end == Failed("the report cannot be read: Is a directory")
    assert read_checkpoints(folder.metrics, ["y"]) == []


@pytest.mark.parametrize("line", ['{"step": 1' + "0" * 400 + ', "y": 1}', "[" * 100_000])
def test_lines_that_no_float_holds_are_passed_over_as_checkpoints(
    tmp_path: Path, line: str
) -> None:
    report = tmp_path / "report"
    report.write_text(f'{line}\n{{"step": 2, "y": 3}}\n')
    assert read_checkpoints(report, ["y"]) == [Checkpoint(2, {"y": 3.0})]


def test_how_the_command_ended_comes_first(
    make_spec: Callable[..., Experiment], tmp_path: Path
) -> None:
    spec, folder = make_spec(**SPEC), AttemptFolder(tmp_path)
    folder.metrics.write_text('{"y": 1}')
    folder.log.write_text("Traceback\nValueError: no such file\n\n")
    said = Failed("exit status 1: ValueError: no such file")
    assert read_outcome(spec, folder, Exit(1)) == said
    assert read_outcome(spec, folder, Exit(-9)) == Failed("killed by SIGKILL")
    assert read_outcome(spec, folder, Exit(-40)) == Failed("killed by signal 40")
    assert read_outcome(spec, folder, Exit(-15, "timeout")) == Failed("timed out after 9 s")
    assert read_outcome(spec, folder, Exit(-15, "stop")) == Stopped()
    assert read_outcome(spec, folder, Exit(-9, "memory")) == OutOfMemory("out of memory")
    assert read_outcome(spec, folder, Exit(0, "disk")) == Observed({"y": 1.0}), "it got through"
    assert read_outcome(spec, folder, Exit(1, "disk")) == Interrupted("the disk was full")
    lost = read_outcome(spec, folder, Exit(-15, "lease"))
    assert lost == Interrupted("no orchestrate was alive for 60 s")


def test_what_no_trial_could_do_is_the_configurations_fault(
    make_spec: Callable[..., Experiment], tmp_path: Path
) -> None:
    spec, folder = make_spec(**SPEC), AttemptFolder(tmp_path)
    folder.metrics.write_text('{"loss": 1}')
    unknown = read_outcome(spec, folder, Exit(0))
    assert isinstance(unknown, Misconfigured)
    assert (
        "unknown metric 'loss' in the report: the experiment's metrics are y, s" in unknown.reason
    )
    missing = read_outcome(spec, folder, Exit(None, error="cannot execute 'trian'"))
    assert missing == Misconfigured("command: cannot execute 'trian'")
