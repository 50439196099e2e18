"""The store: opening, creating, reading."""

from collections.abc import Callable
from pathlib import Path

import pytest

from sigopt_orchestrate.errors import LeadershipError, StoreError
from sigopt_orchestrate.spec import Experiment
from sigopt_orchestrate.store import Ledger, Store, has_leader, lead


def test_an_experiment_comes_back_as_it_was(
    stores: Callable[[], Store], make_spec: Callable[..., Experiment], tmp_path: Path
) -> None:
    store = stores()
    spec = make_spec(timeouts={"trial": "2h"}, env={"A": 1}, resources={"memory": "1Gi"})
    created = store.create_experiment(spec, tmp_path)
    assert store.experiment(created.id) == created
    assert created.spec == spec
    assert store.newest() == created


def test_what_is_not_there_is_said(store: Store, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no experiment 7"):
        store.experiment(7)
    with pytest.raises(StoreError, match="no experiments here yet"):
        store.newest()
    with pytest.raises(StoreError, match="no experiments here"):
        Store.existing(tmp_path / "elsewhere")


def test_a_foreign_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "orchestrate.db").write_bytes(b"not a database, whatever its name says" * 100)
    with pytest.raises(StoreError, match="cannot open the store"):
        Store(tmp_path)


def test_the_database_is_durable_and_does_not_block_readers(store: Store, tmp_path: Path) -> None:
    connection = store.connection
    assert connection.execute("PRAGMA journal_mode").fetchall() == [("wal",)]
    assert connection.execute("PRAGMA synchronous").fetchall() == [(2,)], "FULL: flushed to disk"
    other = Store(tmp_path / "home")
    with connection.writing():
        assert other.experiments() == [], "a reader waits for no writer"
    other.close()


def test_one_leader_at_a_time(
    stores: Callable[[], Store], make_spec: Callable[..., Experiment], tmp_path: Path
) -> None:
    ours, theirs = stores(), stores()
    experiment = ours.create_experiment(make_spec(), tmp_path)
    assert not has_leader(theirs, experiment.id)
    with lead(ours, experiment.id):
        assert has_leader(theirs, experiment.id)
        with pytest.raises(LeadershipError, match="already run"), lead(theirs, experiment.id):
            pass
    assert not has_leader(ours, experiment.id)
    with lead(theirs, experiment.id):
        assert has_leader(ours, experiment.id)


def test_who_looks_again_reads_only_what_has_moved(
    stores: Callable[[], Store], make_spec: Callable[..., Experiment]
) -> None:
    ours, theirs = stores(), stores()
    experiment = ours.create_experiment(make_spec(), Path("/"))
    ledger = Ledger(ours, experiment.id)
    first, second = (ledger.add_trial({"x": x}, "random") for x in (0.1, 0.2))
    moved, seen = theirs.moved_trials(experiment.id, 0)
    assert moved == [first, second]
    assert theirs.moved_trials(experiment.id, seen) == ([], seen)
    assert second is not None
    leased = ledger.lease(second)
    assert theirs.moved_trials(experiment.id, seen)[0] == [leased]
