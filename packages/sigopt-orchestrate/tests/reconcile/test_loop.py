"""The run loop with real processes and a deterministic source of trials."""

import contextlib
import json
import os
import signal
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

import pytest

from sigopt_orchestrate.errors import SuggestionError
from sigopt_orchestrate.executors import LocalExecutor
from sigopt_orchestrate.lifecycle import ExperimentState, TrialState
from sigopt_orchestrate.optimizer import Observed, Suggestion
from sigopt_orchestrate.reconcile import RunLoop
from sigopt_orchestrate.spec import Assignments, Experiment, Retries
from sigopt_orchestrate.store import ExperimentRecord, Store, TrialRecord, lead

Run = Callable[..., tuple[ExperimentRecord, list[TrialRecord]]]


class Counting:
    """Suggests x = 0, 1/100, 2/100, ...; answers at once, through a real descriptor."""

    def __init__(self) -> None:
        self.read, self.write = os.pipe()
        self.asked: list[tuple[Sequence[Observed], Sequence[Assignments]]] = []
        self.busy = False

    def fileno(self) -> int:
        return self.read

    def request(self, history: Sequence[Observed], pending: Sequence[Assignments]) -> None:
        assert not self.busy
        self.busy = True
        self.asked.append((tuple(history), tuple(pending)))
        os.write(self.write, b".")

    def poll(self) -> Suggestion | None:
        os.read(self.read, 1)
        self.busy = False
        return Suggestion({"x": (len(self.asked) - 1) / 100}, "quasi-random")

    def close(self) -> None:
        os.close(self.read)
        os.close(self.write)


@pytest.fixture
def suggestions() -> Iterator[Counting]:
    made = Counting()
    yield made
    made.close()


@pytest.fixture
def run(store: Store, tmp_path: Path, suggestions: Counting) -> Run:
    """Runs an experiment, or goes on with it, and returns it with its trials."""

    def go(
        spec: Experiment | ExperimentRecord,
        watch: Callable[[RunLoop, Collection[TrialRecord]], None] = lambda *_: None,
    ) -> tuple[ExperimentRecord, list[TrialRecord]]:
        if isinstance(spec, Experiment):
            spec = store.create_experiment(spec, tmp_path)
        folder = store.home.experiment(spec.id)
        with lead(store, spec.id) as ledger:
            executor = LocalExecutor(folder)
            loop = RunLoop(
                ledger, folder, executor, suggestions, lambda _, trials, __: watch(loop, trials)
            )
            ended = loop.run()
        return ended, store.trials(spec.id)

    return go


REPORT = """printf '{{"y": %s}}' {x} > "$ORCHESTRATE_METRICS"; """


def test_the_budget_is_used_exactly(
    run: Run, make_spec: Callable[..., Experiment], suggestions: Counting
) -> None:
    ended, trials = run(make_spec(command=REPORT, budget=7, parallel=3))
    assert ended.state is ExperimentState.COMPLETED
    assert [trial.values for trial in trials] == [{"y": n / 100} for n in range(7)]
    assert [trial.attempt for trial in trials] == [1] * 7
    history, pending = suggestions.asked[-1]
    assert len(history) + len(pending) == 6, "every earlier trial is history or pending"
    assert all(seen.values == (seen.assignments["x"],) for seen in history)


def test_never_more_than_parallel_at_once(run: Run, make_spec: Callable[..., Experiment]) -> None:
    most = 0

    def watch(_: RunLoop, trials: Collection[TrialRecord]) -> None:
        nonlocal most
        most = max(most, sum(trial.state.in_flight for trial in trials))

    run(make_spec(command=REPORT, budget=9, parallel=2), watch)
    assert most == 2


def test_failures_are_observations_and_stop_nothing(
    run: Run, make_spec: Callable[..., Experiment]
) -> None:
    line = (
        REPORT
        + """case {x} in 0.0) exit 3;; 0.01) rm "$ORCHESTRATE_METRICS";;
    0.02) echo '{{"y": NaN}}' > "$ORCHESTRATE_METRICS";; esac"""
    )
    ended, trials = run(make_spec(command=line, budget=4))
    assert ended.state is ExperimentState.COMPLETED
    assert [trial.reason for trial in trials] == [
        "exit status 3",
        "metric 'y' was not reported",
        "metric 'y' is nan, which is not finite",
        None,
    ]
    assert [trial.values for trial in trials] == [None, None, None, {"y": 0.03}]


def test_a_failed_command_is_retried_as_often_as_asked(
    run: Run, make_spec: Callable[..., Experiment]
) -> None:
    line = f"if mkdir once-{{x}}; then exit 1; fi; {REPORT}"
    _, trials = run(make_spec(command=line, budget=2, retries={"error": 1}))
    assert [(t.state, t.attempt, t.errors) for t in trials] == [(TrialState.COMPLETED, 2, 1)] * 2


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
def test_a_lost_attempt_is_not_charged(run: Run, make_spec: Callable[..., Experiment]) -> None:
    line = f"if mkdir once-{{x}}; then kill -9 $PPID; fi; {REPORT}"
    _, trials = run(make_spec(command=line, budget=2))
    assert [(t.state, t.attempt, t.losses) for t in trials] == [(TrialState.COMPLETED, 2, 1)] * 2


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
def test_what_is_lost_for_ever_is_given_up(run: Run, make_spec: Callable[..., Experiment]) -> None:
    _, trials = run(make_spec(command="kill -9 $PPID", budget=1, retries={"infra": 2}))
    assert [(t.state, t.attempt) for t in trials] == [(TrialState.FAILED, 3)]
    assert trials[0].reason == "given up after 3 attempts: its process was lost"


def test_stop_and_go_on(run: Run, make_spec: Callable[..., Experiment], tmp_path: Path) -> None:
    spec = make_spec(command=f"[ -e go ] || exec sleep 600; {REPORT}", budget=3)

    def watch(loop: RunLoop, trials: Collection[TrialRecord]) -> None:
        if sum(trial.state is TrialState.RUNNING for trial in trials) == 2:
            loop.request_stop()

    ended, trials = run(spec, watch)
    assert ended.state is ExperimentState.STOPPED
    assert {trial.state for trial in trials} == {TrialState.STOPPED}
    (tmp_path / "go").touch()
    ended, again = run(ended)
    assert ended.state is ExperimentState.COMPLETED
    assert [trial.values for trial in again] == [{"y": n / 100} for n in range(3)]
    assert [t.assignments for t in again[: len(trials)]] == [t.assignments for t in trials]


def test_a_stop_that_comes_too_late_writes_nowhere(
    run: Run, make_spec: Callable[..., Experiment], tmp_path: Path
) -> None:
    seen: list[RunLoop] = []
    ended, _ = run(make_spec(command=REPORT, budget=1), lambda loop, _: seen.append(loop))
    innocent = tmp_path / "innocent"
    descriptors = [os.open(innocent, os.O_RDWR | os.O_CREAT) for _ in range(20)]
    seen[-1].request_stop()
    for descriptor in descriptors:
        os.close(descriptor)
    assert ended.state is ExperimentState.COMPLETED
    assert innocent.read_bytes() == b"", "not even where its descriptor's number is used again"


def test_what_cannot_work_fails_fast(run: Run, make_spec: Callable[..., Experiment]) -> None:
    ended, trials = run(make_spec(command=["no-such-program"], budget=50))
    assert ended.state is ExperimentState.FAILED
    assert "cannot execute 'no-such-program'" in str(ended.reason)
    assert len(trials) <= 4
    assert not any(trial.state.observed for trial in trials), "nothing is charged"


def test_an_unknown_metric_fails_fast(run: Run, make_spec: Callable[..., Experiment]) -> None:
    line = """echo '{{"z": 1}}' > "$ORCHESTRATE_METRICS" """
    ended, _ = run(make_spec(command=line, budget=50))
    assert ended.state is ExperimentState.FAILED
    assert str(ended.reason).startswith("unknown metric 'z' in the report")


def test_without_an_optimizer_the_experiment_fails_and_ends_what_runs(
    run: Run, make_spec: Callable[..., Experiment], suggestions: Counting
) -> None:
    def poll() -> Suggestion | None:
        if len(suggestions.asked) < 2:
            return Counting.poll(suggestions)
        raise SuggestionError("the optimiser is broken")

    suggestions.poll = poll  # type: ignore[method-assign]
    ended, trials = run(make_spec(command=["sleep", "600"], budget=3))
    assert (ended.state, ended.reason) == (ExperimentState.FAILED, "the optimiser is broken")
    assert [trial.state for trial in trials] == [TrialState.STOPPED]


def test_the_environment_of_a_trial(
    run: Run, make_spec: Callable[..., Experiment], store: Store
) -> None:
    line = """env > "$ORCHESTRATE_OUTPUT/env" """
    ended, _ = run(make_spec(command=line, budget=1, env={"GIVEN": "{x}"}))
    output = store.home.experiment(ended.id).attempt(1, 1).output
    env = dict(entry.split("=", 1) for entry in (output / "env").read_text().splitlines())
    assert env["GIVEN"] == "0.0"
    assert json.loads(env["ORCHESTRATE_PARAMETERS"]) == {"x": 0.0}
    assert json.loads(env["ORCHESTRATE_METRIC_NAMES"]) == ["y"]
    assert (env["ORCHESTRATE_EXPERIMENT"], env["ORCHESTRATE_TRIAL"]) == (str(ended.id), "1")


@pytest.mark.skipif(sys.platform != "linux", reason="memory is measured in /proc")
def test_out_of_memory_is_tried_again_with_more(
    run: Run, make_spec: Callable[..., Experiment]
) -> None:
    program = """import os, time
if int(os.environ["ORCHESTRATE_MEMORY"]) > 80e6:
    open(os.environ["ORCHESTRATE_METRICS"], "w").write('{{"y": {x}}}')
else:
    much = b"x" * (120 << 20)
    time.sleep(600)
"""
    oom = {"max": 2, "memory_factor": 2}
    spec = make_spec(
        command=[sys.executable, "-I", "-S", "-c", program],
        budget=1,
        resources={"memory": "25M"},
        retries={"oom": oom},
    )
    _, trials = run(spec)
    assert [(t.state, t.attempt, t.ooms) for t in trials] == [(TrialState.COMPLETED, 3, 2)]
    oom["max"] = 1
    _, trials = run(spec.model_copy(update={"retries": Retries.model_validate({"oom": oom})}))
    assert [(t.state, t.reason) for t in trials] == [(TrialState.FAILED, "out of memory")]


def test_a_supervisor_that_is_stopped_cannot_stop_the_end(
    run: Run,
    make_spec: Callable[..., Experiment],
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sigopt_orchestrate.reconcile.patience._MARGIN_S", 0.0)

    def watch(loop: RunLoop, trials: Collection[TrialRecord]) -> None:
        for trial in trials:
            if trial.state is TrialState.RUNNING:
                claim = store.home.experiment(1).attempt(trial.number, trial.attempt).claim
                with contextlib.suppress(ProcessLookupError):  # killed since
                    os.kill(json.loads(claim.read_bytes())["pid"], signal.SIGSTOP)
                loop.request_stop()

    spec = make_spec(command=["sleep", "600"], budget=1, timeouts={"grace": 0.2})
    ended, trials = run(spec, watch)
    assert ended.state is ExperimentState.STOPPED
    assert [trial.state for trial in trials] == [TrialState.STOPPED]


def test_an_attempt_that_never_starts_is_tried_again_and_charged(
    run: Run, make_spec: Callable[..., Experiment]
) -> None:
    def watch(loop: RunLoop, trials: Collection[TrialRecord]) -> None:
        process = loop._executor._starter._process  # type: ignore[attr-defined]
        if process is None:  # before the start, or after the end
            return
        if [trial.state.observed for trial in trials] == [True]:
            os.kill(process.pid, signal.SIGSTOP)
        elif any(trial.losses for trial in list(trials)[1:]):
            os.kill(process.pid, signal.SIGCONT)

    _, trials = run(
        make_spec(command=REPORT, budget=2, parallel=1, timeouts={"pending": 0.1}), watch
    )
    assert trials[1].losses >= 1  # on a busy machine more, and the first trial's, too
    assert trials[1].state is TrialState.COMPLETED


def test_a_limit_that_is_reached_starts_no_trial_and_is_named(
    run: Run, make_spec: Callable[..., Experiment]
) -> None:
    ended, trials = run(make_spec(limits={"wall": 0.001}))
    assert ended.state is ExperimentState.STOPPED
    assert ended.reason is not None
    assert ended.reason.startswith("limits.wall: ")
    assert not any(trial.attempt for trial in trials)
