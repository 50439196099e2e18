"""Experiments from Python: run, ask and tell, functions, frames."""

import asyncio
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import sigopt_orchestrate as orchestrate
from sigopt_orchestrate.errors import ReportError, SpecError, StoreError, UnknownMetricError
from sigopt_orchestrate.lifecycle import ExperimentState
from sigopt_orchestrate.sdk.session import Trial

SPACE = {"x": orchestrate.double(0, 1), "kind": orchestrate.categorical("a", "b")}
REPORT = """printf '{{"y": %s}}' {x} > "$ORCHESTRATE_METRICS" """


@pytest.fixture
def make(tmp_path: Path) -> Any:
    """Makes an experiment with a home of its own."""

    def create(**keys: Any) -> orchestrate.Experiment:
        given = {"parameters": SPACE, "metrics": "y", "budget": 3, "home": tmp_path / "home"}
        options = {"optimizer": {"algorithm": "random"}} | keys
        return orchestrate.Experiment.create("toy", **given | options)

    return create


def test_run_gives_the_results_and_calls_back_for_each_trial(make: Any) -> None:
    called: list[int] = []
    experiment = make(command=REPORT, parallel=2)
    results = experiment.run([lambda _record, trial: called.append(trial.number)])
    assert sorted(called) == [1, 2, 3]
    assert results.state is ExperimentState.COMPLETED
    assert results.best.values["y"] == max(t.assignments["x"] for t in results)
    frame = results.to_frame()
    assert list(frame.index) == [1, 2, 3]
    assert list(frame["metrics.y"]) == [t.values["y"] for t in results]
    again = orchestrate.Experiment.open(experiment.id, home=experiment._home)
    assert again.results().trials == results.trials


async def begin_and_cancel(experiment: orchestrate.Experiment, begun: Callable[[], bool]) -> None:
    """Cancels a run as soon as it has begun, at the earliest once its thread is on its way."""
    running = asyncio.create_task(experiment.run_async())
    await asyncio.sleep(0)
    while not begun():
        await asyncio.sleep(0.02)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


def test_a_cancelled_run_ends_its_trials_and_goes_on_later(make: Any, tmp_path: Path) -> None:
    waits = "echo up > begun; while [ ! -e go ]; do sleep 0.05; done; " + REPORT
    experiment = make(command=waits, directory=tmp_path)
    asyncio.run(begin_and_cancel(experiment, (tmp_path / "begun").exists))
    assert experiment.results().state is ExperimentState.STOPPED
    (tmp_path / "go").touch()
    assert experiment.run().state is ExperimentState.COMPLETED


def test_a_run_cancelled_before_its_thread_is_ready_runs_nothing(make: Any, tmp_path: Path) -> None:
    experiment = make(command=f"touch ran; {REPORT}", directory=tmp_path, budget=50)
    asyncio.run(begin_and_cancel(experiment, lambda: True))
    assert experiment.results().state is ExperimentState.STOPPED
    assert not (tmp_path / "ran").exists()


def test_numpys_numbers_are_pythons(make: Any) -> None:
    given = {
        "batch": orchestrate.categorical(*np.array([16, 32])),
        "rate": {"type": "double", "grid": np.linspace(0, 1, 3)},
    }
    batch, rate = make(parameters=given).spec.parameters
    assert [type(value) for value in batch.categorical_values] == [int, int]
    assert rate.grid == (0.0, 0.5, 1.0)
    with pytest.raises(SpecError, match="cannot represent an object"):
        make(env={"A": Path("/x")})


def test_ask_and_tell_use_up_the_budget_and_keep_every_word(make: Any) -> None:
    experiment = make(budget=4)
    with experiment.session() as session:
        first, second = session.ask(), session.ask()
        session.tell(second, y=0.25)
        session.fail(first, "it diverged")
        session.tell(session.ask(), {"y": float("nan")})
        last = session.ask()
        assert session.ask() is None, "the budget is given out"
        for wrong, error in (({"z": 1.0}, UnknownMetricError), ({"y": "much"}, ReportError)):
            with pytest.raises(error):
                session.tell(last, wrong)
        session.tell(last, y=0.5)
        with pytest.raises(StoreError, match="is not out"):
            session.tell(last, y=0.6)
        with pytest.raises(StoreError, match="is not out"):
            session.fail(Trial(99, {}))
    results = experiment.results()
    assert results.state is ExperimentState.COMPLETED
    assert [t.reason for t in results] == ["it diverged", None, "metric 'y' is nan", None]
    assert results.best.number == last.number


def test_trials_of_a_dead_session_are_given_out_again(make: Any) -> None:
    experiment = make(budget=2)
    with experiment.session() as session:
        lost = session.ask()
    assert experiment.results().state is ExperimentState.STOPPED
    with experiment.session() as session:
        assert session.ask() == lost
        session.tell(lost, y=1)


def test_what_is_wrong_is_one_sentence(make: Any, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="min \\(1\\) must be below max \\(1\\)"):
        make(parameters={"x": orchestrate.double(1, 1)})
    with pytest.raises(SpecError, match="the experiment has no command; ask for its trials"):
        make().run()
    with pytest.raises(SpecError, match="has not been run or asked"):
        make().results()
    with pytest.raises(SpecError, match="cannot run as written"):
        make(command=["nothing-such-program"]).run()
    with pytest.raises(StoreError, match="no experiments here"):
        orchestrate.Experiment.open(1, home=tmp_path / "elsewhere")


def test_a_function_of_a_script_is_a_trial(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent("""
        import sigopt_orchestrate as orchestrate
        import beside

        @orchestrate.trial(
            parameters={"x": orchestrate.integer(1, 9)},
            metrics={"loss": "minimize", "size": "store"},
        )
        def train(x):
            return {"loss": beside.HALF * x, "size": x}

        if __name__ == "__main__":
            assert train(4) == {"loss": 2, "size": 4}
            results = train.optimize(3, parallel=2, optimizer={"algorithm": "random"})
            assert all(t.values["loss"] == t.assignments["x"] / 2 for t in results), results
            print("best", results.best.values["loss"])
        """)
    )
    (tmp_path / "beside.py").write_text("HALF = 0.5\n")
    command = [sys.executable, str(script)]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith("best ")


def test_a_function_that_no_other_process_could_find_is_refused() -> None:
    @orchestrate.trial(parameters={"x": orchestrate.double(0, 1)}, metrics="y")
    def inner(x: float) -> float:
        return x

    with pytest.raises(SpecError, match="at the top level of its module"):
        inner.experiment(3)
    with pytest.raises(SpecError, match="takes no argument 'z'"):
        orchestrate.trial(parameters={"z": orchestrate.double(0, 1)}, metrics="y")(inner.function)


def test_importing_the_package_imports_none_of_this() -> None:
    code = (
        "import sys, sigopt_orchestrate; "
        "sys.exit(any(name.startswith('sigopt_orchestrate.sdk') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
