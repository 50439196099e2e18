"""From any schema that was ever in use to the present one; every step stays as it was written.

A change of `schema` takes a file in `versions`, numbered on from the last; `tests/store` compares
what the steps make with what `schema` says, on SQLite and on PostgreSQL.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy import Connection

FIRST = "0001"
_LOCATION = "sigopt_orchestrate.store:migrations"


def migrate(connection: Connection) -> None:
    """Brings the database to the newest schema, within the transaction that is under way.

    Args:
        connection: In a transaction that nobody else can migrate beside.

    Raises:
        alembic.util.CommandError: If the database is at a version that is not known here.
    """
    # A fifth of a second of imports, which a database that is up to date can do without.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", _LOCATION)
    config.attributes["connection"] = connection
    if _is_from_before_versions(connection):
        command.stamp(config, FIRST)
    command.upgrade(config, "head")


def newest() -> str:
    """Returns the version that `migrate` leads to."""
    steps = (Path(__file__).parent / "versions").glob("v*_*.py")
    return max(step.name[1:5] for step in steps)


def _is_from_before_versions(connection: Connection) -> bool:
    """Whether it is a SQLite file that carries its version in `user_version`, as they once did."""
    from sqlalchemy import inspect, text  # noqa: PLC0415

    if connection.dialect.name != "sqlite" or inspect(connection).has_table("alembic_version"):
        return False
    return bool(connection.execute(text("PRAGMA user_version")).scalar_one() == 1)
