"""The API's objects: clients, tokens, projects, experiments, training runs."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def _id() -> sa.Column[int]:
    return sa.Column("id", sa.Integer, primary_key=True)


def _created() -> sa.Column[int]:
    return sa.Column("created", sa.Integer, nullable=False)


def _deleted() -> sa.Column[bool]:
    return sa.Column("deleted", sa.Boolean, nullable=False, server_default=sa.false())


def upgrade() -> None:
    """Adds tables; what is stored stays as it is."""
    op.create_table(
        "api_audit_log",
        _id(),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("client_id", sa.Integer),
        sa.Column("token_id", sa.Integer),
        sa.Column("action", sa.String(64), nullable=False),
        sa.Column("subject", sa.Text),
    )
    op.create_table(
        "api_organizations",
        _id(),
        sa.Column("name", sa.Text),
        _created(),
    )
    op.create_table(
        "api_clients",
        _id(),
        sa.Column(
            "organization_id", sa.Integer, sa.ForeignKey("api_organizations.id"), nullable=False
        ),
        sa.Column("name", sa.Text, nullable=False),
        _created(),
    )
    op.create_table(
        "api_projects",
        _id(),
        sa.Column("client_id", sa.Integer, sa.ForeignKey("api_clients.id"), nullable=False),
        sa.Column("slug", sa.String(32), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("metadata", sa.Text),
        _created(),
        sa.Column("updated", sa.Integer, nullable=False),
        _deleted(),
        sa.UniqueConstraint("client_id", "slug"),
    )
    op.create_table(
        "api_tags",
        _id(),
        sa.Column("client_id", sa.Integer, sa.ForeignKey("api_clients.id"), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("color", sa.String(16), nullable=False),
        _created(),
        sa.UniqueConstraint("client_id", "name"),
    )
    op.create_table(
        "api_tokens",
        _id(),
        sa.Column("digest", sa.String(64), nullable=False, unique=True),
        sa.Column("client_id", sa.Integer, sa.ForeignKey("api_clients.id"), nullable=False),
        sa.Column("scope", sa.String(8), nullable=False),
        sa.Column("experiment_id", sa.Integer),
        sa.Column("training_run_id", sa.Integer),
        sa.Column("name", sa.Text),
        _created(),
        sa.Column("expires", sa.Integer),
        sa.Column("revoked", sa.Integer),
    )
    op.create_table(
        "api_experiments",
        _id(),
        sa.Column("client_id", sa.Integer, sa.ForeignKey("api_clients.id"), nullable=False),
        sa.Column("project_id", sa.Integer, sa.ForeignKey("api_projects.id")),
        sa.Column("runs_only", sa.Boolean, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("definition", sa.Text, nullable=False),
        sa.Column("metadata", sa.Text),
        _created(),
        sa.Column("updated", sa.Integer, nullable=False),
        _deleted(),
    )
    op.create_table(
        "api_queued_suggestions",
        _id(),
        sa.Column("experiment_id", sa.Integer, sa.ForeignKey("api_experiments.id"), nullable=False),
        sa.Column("assignments", sa.Text, nullable=False),
        sa.Column("task", sa.Text),
        _created(),
        _deleted(),
    )
    op.create_table(
        "api_suggestions",
        _id(),
        sa.Column("experiment_id", sa.Integer, sa.ForeignKey("api_experiments.id"), nullable=False),
        sa.Column("assignments", sa.Text, nullable=False),
        sa.Column("task", sa.Text),
        sa.Column("metadata", sa.Text),
        sa.Column("source", sa.String(32), nullable=False),
        sa.Column("open", sa.Boolean, nullable=False),
        _created(),
        _deleted(),
    )
    op.create_table(
        "api_observations",
        _id(),
        sa.Column("experiment_id", sa.Integer, sa.ForeignKey("api_experiments.id"), nullable=False),
        sa.Column("suggestion_id", sa.Integer, sa.ForeignKey("api_suggestions.id")),
        sa.Column("training_run_id", sa.Integer, unique=True),
        sa.Column("assignments", sa.Text, nullable=False),
        sa.Column("values", sa.Text, nullable=False),
        sa.Column("failed", sa.Boolean, nullable=False),
        sa.Column("task", sa.Text),
        sa.Column("metadata", sa.Text),
        sa.Column("merit", sa.Float),
        _created(),
        _deleted(),
    )
    op.create_table(
        "api_training_runs",
        _id(),
        sa.Column("client_id", sa.Integer, sa.ForeignKey("api_clients.id"), nullable=False),
        sa.Column("project_id", sa.Integer, sa.ForeignKey("api_projects.id"), nullable=False),
        sa.Column("experiment_id", sa.Integer, sa.ForeignKey("api_experiments.id")),
        sa.Column("suggestion_id", sa.Integer, sa.ForeignKey("api_suggestions.id")),
        sa.Column("observation_id", sa.Integer),
        sa.Column("optimized_suggestion", sa.Boolean, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("favorite", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("document", sa.Text, nullable=False),
        sa.Column("checkpoint_count", sa.Integer, nullable=False, server_default="0"),
        _created(),
        sa.Column("updated", sa.Integer, nullable=False),
        sa.Column("completed", sa.Integer),
        _deleted(),
    )
    op.create_table(
        "api_checkpoints",
        _id(),
        sa.Column(
            "training_run_id", sa.Integer, sa.ForeignKey("api_training_runs.id"), nullable=False
        ),
        sa.Column("values", sa.Text, nullable=False),
        sa.Column("metadata", sa.Text),
        _created(),
    )
    op.create_table(
        "api_files",
        _id(),
        sa.Column("client_id", sa.Integer, sa.ForeignKey("api_clients.id"), nullable=False),
        sa.Column(
            "training_run_id", sa.Integer, sa.ForeignKey("api_training_runs.id"), nullable=False
        ),
        sa.Column("name", sa.Text),
        sa.Column("filename", sa.Text),
        sa.Column("content_length", sa.Integer, nullable=False),
        sa.Column("content_type", sa.Text, nullable=False),
        sa.Column("content_md5", sa.Text, nullable=False),
        sa.Column("secret", sa.String(64), nullable=False),
        sa.Column("uploaded", sa.Boolean, nullable=False),
        _created(),
    )
    op.create_table(
        "api_training_run_tags",
        sa.Column(
            "training_run_id", sa.Integer, sa.ForeignKey("api_training_runs.id"), primary_key=True
        ),
        sa.Column("tag_id", sa.Integer, sa.ForeignKey("api_tags.id"), primary_key=True),
    )
    op.create_index("ix_api_audit_log_client_id", "api_audit_log", ["client_id"])
    op.create_index("ix_api_tokens_client_id", "api_tokens", ["client_id"])
    op.create_index(
        "api_experiments_of_client", "api_experiments", ["client_id", "runs_only", "deleted"]
    )
    op.create_index("ix_api_experiments_project_id", "api_experiments", ["project_id"])
    op.create_index(
        "api_queued_suggestions_of_experiment",
        "api_queued_suggestions",
        ["experiment_id", "deleted"],
    )
    op.create_index(
        "api_suggestions_of_experiment", "api_suggestions", ["experiment_id", "deleted", "open"]
    )
    op.create_index(
        "api_observations_by_merit", "api_observations", ["experiment_id", "deleted", "merit"]
    )
    op.create_index(
        "api_observations_of_experiment", "api_observations", ["experiment_id", "deleted", "id"]
    )
    op.create_index("ix_api_observations_suggestion_id", "api_observations", ["suggestion_id"])
    op.create_index(
        "api_training_runs_of_client", "api_training_runs", ["client_id", "deleted", "id"]
    )
    op.create_index(
        "api_training_runs_of_experiment",
        "api_training_runs",
        ["experiment_id", "deleted", "state"],
    )
    op.create_index(
        "api_training_runs_of_project", "api_training_runs", ["project_id", "deleted", "id"]
    )
    op.create_index("ix_api_checkpoints_training_run_id", "api_checkpoints", ["training_run_id"])
    op.create_index("ix_api_files_training_run_id", "api_files", ["training_run_id"])
