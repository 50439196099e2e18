"""From any schema that was ever in use to the present one; every step stays as it was written.

A change of `schema` takes a file in `versions`, numbered on from the last; `tests/store` compares
what the steps make with what `schema` says, on SQLite and on PostgreSQL.
"""

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

FIRST = "0001"
_LOCATION = "sigopt_orchestrate.store:migrations"


def migrate(connection: Connection) -> None:
    """Brings the database to the newest schema, within the transaction that is under way.

    Args:
        connection: In a transaction that nobody else can migrate beside.

    Raises:
        alembic.util.CommandError: If the database is at a version that is not known here.
    """
    config = Config()
    config.set_main_option("script_location", _LOCATION)
    config.attributes["connection"] = connection
    if _is_from_before_versions(connection):
        command.stamp(config, FIRST)
    command.upgrade(config, "head")


def newest() -> str:
    """Returns the version that `migrate` leads to."""
    config = Config()
    config.set_main_option("script_location", _LOCATION)
    head = ScriptDirectory.from_config(config).get_current_head()
    assert head is not None  # noqa: S101 - the wheel holds the versions
    return head


def _is_from_before_versions(connection: Connection) -> bool:
    """Whether it is a SQLite file that carries its version in `user_version`, as they once did."""
    if connection.dialect.name != "sqlite" or inspect(connection).has_table("alembic_version"):
        return False
    return bool(connection.execute(text("PRAGMA user_version")).scalar_one() == 1)
