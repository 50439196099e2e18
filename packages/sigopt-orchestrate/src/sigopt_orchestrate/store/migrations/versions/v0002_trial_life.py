"""Trials that run out of memory, reports that come late, and a name for the store itself."""

import uuid

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Adds columns and tables; what is stored stays as it is."""
    op.add_column("trials", sa.Column("ooms", sa.Integer, nullable=False, server_default="0"))
    op.create_table(
        "late_reports",
        sa.Column("trial_id", sa.Integer, sa.ForeignKey("trials.id"), primary_key=True),
        sa.Column("attempt", sa.Integer, primary_key=True),
        sa.Column("failed", sa.Boolean, nullable=False),
        sa.Column("metrics", sa.Text),
        sa.Column("reason", sa.Text),
        sa.Column("created_at", sa.Float, nullable=False),
    )
    store = op.create_table("store", sa.Column("name", sa.String(36), primary_key=True))
    op.bulk_insert(store, [{"name": str(uuid.uuid4())}])
    if op.get_bind().dialect.name == "sqlite":
        op.execute("PRAGMA user_version = 2")  # sends an orchestrate from before versions away
