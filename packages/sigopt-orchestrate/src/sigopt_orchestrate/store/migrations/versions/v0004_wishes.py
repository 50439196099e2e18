"""What people ask of a running experiment: to pause, and to run failed trials again."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Adds columns; what is stored stays as it is."""
    paused = sa.Column("paused", sa.Boolean, nullable=False, server_default=sa.false())
    op.add_column("experiments", paused)
    op.add_column("experiments", sa.Column("retries", sa.Text))
