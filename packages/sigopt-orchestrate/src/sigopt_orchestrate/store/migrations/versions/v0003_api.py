"""The API's objects: clients, tokens, projects, experiments, training runs."""

from alembic import op

from sigopt_orchestrate.store import resources  # noqa: F401 - defines them
from sigopt_orchestrate.store.schema import metadata

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Adds tables; what is stored stays as it is."""
    made = [t for t in metadata.sorted_tables if t.name.startswith("api_")]
    metadata.create_all(op.get_bind(), tables=made)
