"""The store: opening, creating, reading."""

from collections.abc import Callable
from pathlib import Path

import pytest

from sigopt_orchestrate.errors import LeadershipError, StoreError
from sigopt_orchestrate.spec import Experiment
from sigopt_orchestrate.store import ExperimentRecord, Store, has_leader, lead
from sigopt_orchestrate.store.database import reading, writing


def test_an_experiment_comes_back_as_it_was(
    store: Store, make_spec: Callable[..., Experiment], tmp_path: Path
) -> None:
    spec = make_spec(timeouts={"trial": "2h"}, env={"A": 1})
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


def test_the_database_is_durable_and_does_not_block_readers(store: Store) -> None:
    with reading(store.engine) as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar_one() == 2
    with writing(store.engine):
        assert store.experiments() == [], "a reader waits for no writer"


def test_one_leader_at_a_time(store: Store, experiment: ExperimentRecord) -> None:
    assert not has_leader(store, experiment.id)
    with lead(store, experiment.id):
        assert has_leader(store, experiment.id)
        with pytest.raises(LeadershipError, match="already run"), lead(store, experiment.id):
            pass
    assert not has_leader(store, experiment.id)
