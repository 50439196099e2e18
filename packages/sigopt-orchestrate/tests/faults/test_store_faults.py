"""A store that fails for a while is waited for; whatever the order, nothing is lost or doubled."""

import logging
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from sigopt_orchestrate.errors import LeadershipError, StoreUnavailableError
from sigopt_orchestrate.executors import LocalExecutor
from sigopt_orchestrate.lifecycle import ExperimentState, TrialState
from sigopt_orchestrate.optimizer import SuggestionService
from sigopt_orchestrate.reconcile import RunLoop, Watch
from sigopt_orchestrate.spec import Experiment
from sigopt_orchestrate.store import ExperimentRecord, Ledger, Store, TrialRecord, lead

LOGGER = "sigopt_orchestrate.reconcile.loop"
KEYS = {
    "command": """printf '{{"y": %s}}' {x} > "$ORCHESTRATE_METRICS" """,
    "optimizer": {"algorithm": "random"},
    "budget": 6,
}


@pytest.fixture
def spec(make_spec: Callable[..., Experiment]) -> Experiment:
    return make_spec(**KEYS)


@contextmanager
def on_message(text: str, act: Callable[[], object]) -> Iterator[list[str]]:
    """Calls `act` when the loop logs `text`."""
    heard: list[str] = []

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            heard.append(record.getMessage())
            if text in heard[-1]:
                act()

    ear, logger = Ear(), logging.getLogger(LOGGER)
    logger.addHandler(ear)
    yield heard
    logger.removeHandler(ear)


def run(store: Store, experiment: ExperimentRecord, watch: Watch) -> list[TrialRecord]:
    """Runs an experiment to its end and checks that each trial was observed once, as it should."""
    folder = store.home.experiment(experiment.id)
    with lead(store, experiment.id) as ledger:
        suggestions = SuggestionService(experiment.spec, folder.optimizer_log)
        ended = RunLoop(ledger, folder, LocalExecutor(folder), suggestions, watch).run()
        suggestions.close()
    trials = store.trials(experiment.id)
    assert ended.state is ExperimentState.COMPLETED
    assert len(trials) == experiment.spec.budget
    assert all(trial.values == {"y": trial.assignments["x"]} for trial in trials)
    return trials


def once(act: Callable[[], object]) -> Watch:
    """Acts when the first trial has been observed."""
    done = False

    def watch(_: ExperimentRecord, __: object, moved: Sequence[TrialRecord]) -> None:
        nonlocal done
        if not done and any(trial.state.observed for trial in moved):
            done = True
            act()

    return watch


def test_a_locked_database_is_waited_for(store: Store, spec: Experiment, tmp_path: Path) -> None:
    other = Store(tmp_path / "home")
    store.connection.execute("PRAGMA busy_timeout = 50")
    experiment = store.create_experiment(spec, tmp_path)
    lock = once(lambda: other.connection.execute("BEGIN IMMEDIATE"))
    with on_message("waiting", lambda: other.connection.execute("ROLLBACK")) as heard:
        run(store, experiment, lock)
    assert "database is locked" in heard[0]
    assert heard[1] == "the store is back"
    other.close()


def test_who_asks_for_the_end_does_not_wait_for_ever(
    store: Store, spec: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{LOGGER}._STOP_PATIENCE_S", 0.0)
    other = Store(tmp_path / "home")
    store.connection.execute("PRAGMA busy_timeout = 50")
    experiment = store.create_experiment(spec, tmp_path)
    folder = store.home.experiment(experiment.id)
    lock = once(lambda: other.connection.execute("BEGIN IMMEDIATE"))
    with lead(store, experiment.id) as ledger:
        suggestions = SuggestionService(experiment.spec, folder.optimizer_log)
        loop = RunLoop(ledger, folder, LocalExecutor(folder), suggestions, lock)
        with on_message("waiting", loop.request_stop), pytest.raises(StoreUnavailableError):
            loop.run()
        suggestions.close()
    other.connection.execute("ROLLBACK")
    other.close()
    run(store, experiment, lambda *_: None)  # and nothing is lost


def test_a_full_database_is_waited_for(store: Store, spec: Experiment, tmp_path: Path) -> None:
    def limit(pages: int) -> None:
        store.connection.execute(f"PRAGMA max_page_count = {pages}")

    experiment = store.create_experiment(spec.model_copy(update={"budget": 40}), tmp_path)
    with on_message("waiting", lambda: limit(1 << 30)) as heard:
        run(store, experiment, once(lambda: limit(1)))  # SQLite makes that as few as there are
    assert "full" in heard[0]


def backends(url: str) -> list[int]:
    with psycopg.connect(url, autocommit=True) as connection:
        rows = connection.execute(
            "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend'"
            " AND datname = current_database() AND pid <> pg_backend_pid()"
        ).fetchall()
    return [pid for (pid,) in rows]


@pytest.mark.parametrize("how", ["closed by the server", "killed with all of the server"])
def test_a_lost_connection_comes_back(
    postgresql_url: str, spec: Experiment, tmp_path: Path, how: str
) -> None:
    store = Store(tmp_path / "home", postgresql_url)
    experiment = store.create_experiment(spec, tmp_path)

    def lose() -> None:
        (backend,) = backends(postgresql_url)
        if how == "closed by the server":
            with psycopg.connect(postgresql_url, autocommit=True) as connection:
                connection.execute("SELECT pg_terminate_backend(%s, 5000)", (backend,))
        else:
            os.kill(backend, signal.SIGKILL)  # the server then restarts all of its processes

    with on_message("waiting", lambda: None) as heard:
        run(store, experiment, once(lose))
    assert heard[0].startswith("waiting for the store: ")
    store.close()


def test_who_was_cut_off_may_find_another_leader(
    postgresql_url: str, spec: Experiment, tmp_path: Path
) -> None:
    ours, theirs = (Store(tmp_path / name, postgresql_url) for name in ("a", "b"))
    experiment = ours.create_experiment(spec, tmp_path)
    with lead(ours, experiment.id) as ledger:
        mine = ours.connection.execute("SELECT pg_backend_pid()").fetchall()[0][0]
        theirs.connection.execute("SELECT pg_terminate_backend(?, 5000)", (mine,))
        with lead(theirs, experiment.id) as later:
            with pytest.raises(StoreUnavailableError):
                ledger.add_trial({"x": 0.0}, "random")
            with pytest.raises(LeadershipError, match="has taken experiment 1 over"):
                ledger.add_trial({"x": 0.0}, "random")
            assert later.add_trial({"x": 0.0}, "random") is not None
    ours.close()
    theirs.close()


def test_a_clock_that_jumps_changes_no_course(
    store: Store, spec: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jumps = [0.0, -86400.0, 3e9, -1e9, 7.0]
    now = time.time()
    asked = 0

    def clock() -> float:
        nonlocal asked
        asked += 1
        return now + jumps[asked % len(jumps)]

    experiment = store.create_experiment(spec, tmp_path)
    monkeypatch.setattr("sigopt_orchestrate.store.ledger.time.time", clock)
    trials = run(store, experiment, lambda *_: None)
    assert all(trial.duration_s is not None and trial.duration_s >= 0 for trial in trials)


def test_what_was_stored_though_the_answer_was_lost_counts_once(
    store: Store, spec: Experiment, tmp_path: Path
) -> None:
    experiment = store.create_experiment(spec, tmp_path)
    ledger = Ledger(store, experiment.id)
    added = ledger.add_trial({"x": 0.5}, "random")
    assert added is not None
    leased = ledger.lease(added)
    execute = store.connection.execute

    def lose_the_answer(sql: str, parameters: tuple[object, ...] = ()) -> object:
        result = execute(sql, parameters)
        if sql == "COMMIT":
            raise StoreUnavailableError("store", "the connection was lost")
        return result

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store.connection, "execute", lose_the_answer)
        with pytest.raises(StoreUnavailableError):
            ledger.report(str(leased.token), {"y": 1.0})
    ledger.catch_up()
    (trial,) = ledger.trials()
    assert trial.state is TrialState.COMPLETED
    assert ledger.report(str(leased.token), {"y": 1.0}) == trial
