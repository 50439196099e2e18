"""What alembic executes: the steps, on the connection that `migrate` hands over."""

from alembic import context

from sigopt_orchestrate.store import resources  # noqa: F401 - its tables are on the metadata, too
from sigopt_orchestrate.store.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
