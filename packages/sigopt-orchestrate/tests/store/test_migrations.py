"""From every schema that was ever in use to the present one, on both databases."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from sigopt_orchestrate.errors import StoreError
from sigopt_orchestrate.store import Store
from sigopt_orchestrate.store.database import open_database, reading, writing
from sigopt_orchestrate.store.migrations import newest
from sigopt_orchestrate.store.schema import metadata

SCHEMAS = Path(__file__).parent / "schemas"


def differences(url: str | Path) -> list[object]:
    """What an empty migration would still have to do."""
    engine = open_database(url)
    with reading(engine) as connection:
        context = MigrationContext.configure(connection)
        assert context.get_current_revision() == newest()
        found = compare_metadata(context, metadata)
    engine.dispose()
    return found


def test_the_steps_make_what_the_schema_says(url: str) -> None:
    assert differences(url) == []
    assert differences(url) == [], "and a second opening changes nothing"


@pytest.mark.parametrize("released", sorted(SCHEMAS.glob("*.sql")), ids=lambda path: path.stem)
def test_a_store_of_every_earlier_schema_is_brought_up(released: Path, tmp_path: Path) -> None:
    path = tmp_path / "orchestrate.db"
    with sqlite3.connect(path) as old:
        old.executescript(released.read_text())
    old.close()
    assert differences(path) == []
    store = Store(tmp_path)
    first, second = store.trials(1)
    assert (store.experiment(1).spec.budget, store.experiment(1).epoch) == (3, 2)
    assert (first.values, second.state, second.losses) == ({"y": 1.5}, "running", 1)
    assert second.token == "three"  # noqa: S105
    store.close()


def test_many_that_open_an_empty_database_at_once_agree(url: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        engines = list(pool.map(open_database, [url] * 8))
    with reading(engines[0]) as connection:
        assert len(connection.execute(text("SELECT name FROM store")).all()) == 1
    for engine in engines:
        engine.dispose()


def test_a_newer_schema_is_refused(url: str) -> None:
    engine = open_database(url)
    with writing(engine) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(StoreError, match="written by a newer orchestrate"):
        open_database(url)


@pytest.mark.parametrize("url", ["mysql://h/d", "sqlite://", "postgres//x://", "http://u:pw@h/"])
def test_an_address_that_is_none_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(StoreError, match=r"sqlite:///PATH or postgresql://") as refused:
        open_database(url)
    assert "pw" not in str(refused.value)


def test_a_server_that_is_not_there_is_one_sentence() -> None:
    with pytest.raises(StoreError, match="cannot open the store: ") as refused:
        open_database("postgresql://u:secret@127.0.0.1:1/none")
    assert "secret" not in str(refused.value)
    assert "\n" not in str(refused.value)
