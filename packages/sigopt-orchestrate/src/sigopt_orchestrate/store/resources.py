"""The tables of the API's objects, on the same metadata as the ledger's.

Documents that are only ever read whole (parameters, assignments, values) are JSON text; what a
query filters or sorts by has a column. Nothing is deleted but by a flag. Times are Unix seconds.
"""

from sqlalchemy import (
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
)

from sigopt_orchestrate.store.schema import metadata


def _id() -> Column[int]:
    return Column("id", Integer, primary_key=True)


def _created() -> Column[int]:
    return Column("created", Integer, nullable=False)


def _deleted() -> Column[bool]:
    return Column("deleted", Boolean, nullable=False, server_default=false())


organizations = Table("api_organizations", metadata, _id(), Column("name", Text), _created())

clients = Table(
    "api_clients",
    metadata,
    _id(),
    Column("organization_id", ForeignKey("api_organizations.id"), nullable=False),
    Column("name", Text, nullable=False),
    _created(),
)

tokens = Table(
    "api_tokens",
    metadata,
    _id(),
    Column("digest", String(64), nullable=False, unique=True),  # the token itself is not kept
    Column("client_id", ForeignKey("api_clients.id"), nullable=False, index=True),
    Column("scope", String(8), nullable=False),
    Column("experiment_id", Integer),
    Column("training_run_id", Integer),
    Column("name", Text),
    _created(),
    Column("expires", Integer),
    Column("revoked", Integer),
)

audit_log = Table(
    "api_audit_log",
    metadata,
    _id(),
    Column("at", Float, nullable=False),
    Column("client_id", Integer, index=True),
    Column("token_id", Integer),
    Column("action", String(64), nullable=False),
    Column("subject", Text),
)

projects = Table(
    "api_projects",
    metadata,
    _id(),
    Column("client_id", ForeignKey("api_clients.id"), nullable=False),
    Column("slug", String(32), nullable=False),
    Column("name", Text, nullable=False),
    Column("metadata", Text),
    _created(),
    Column("updated", Integer, nullable=False),
    _deleted(),
    UniqueConstraint("client_id", "slug"),
)

experiments = Table(
    "api_experiments",
    metadata,
    _id(),
    Column("client_id", ForeignKey("api_clients.id"), nullable=False),
    Column("project_id", ForeignKey("api_projects.id"), index=True),
    Column("runs_only", Boolean, nullable=False),  # an AI experiment
    Column("name", Text, nullable=False),
    Column("definition", Text, nullable=False),
    Column("metadata", Text),
    _created(),
    Column("updated", Integer, nullable=False),
    _deleted(),
    Index("api_experiments_of_client", "client_id", "runs_only", "deleted"),
)

suggestions = Table(
    "api_suggestions",
    metadata,
    _id(),
    Column("experiment_id", ForeignKey("api_experiments.id"), nullable=False),
    Column("assignments", Text, nullable=False),
    Column("task", Text),
    Column("metadata", Text),
    Column("source", String(32), nullable=False),
    Column("open", Boolean, nullable=False),
    _created(),
    _deleted(),
    Index("api_suggestions_of_experiment", "experiment_id", "deleted", "open"),
)

queued_suggestions = Table(
    "api_queued_suggestions",
    metadata,
    _id(),
    Column("experiment_id", ForeignKey("api_experiments.id"), nullable=False),
    Column("assignments", Text, nullable=False),
    Column("task", Text),
    _created(),
    _deleted(),
    Index("api_queued_suggestions_of_experiment", "experiment_id", "deleted"),
)

observations = Table(
    "api_observations",
    metadata,
    _id(),
    Column("experiment_id", ForeignKey("api_experiments.id"), nullable=False),
    Column("suggestion_id", ForeignKey("api_suggestions.id"), index=True),
    Column("training_run_id", Integer, unique=True),  # a run has one observation, whoever ends it
    Column("assignments", Text, nullable=False),
    Column("values", Text, nullable=False),
    Column("failed", Boolean, nullable=False),
    Column("task", Text),
    Column("metadata", Text),
    # What ranks the observation where one metric is optimised: more is better, null is not ranked.
    Column("merit", Float),
    _created(),
    _deleted(),
    Index("api_observations_of_experiment", "experiment_id", "deleted", "id"),
    Index("api_observations_by_merit", "experiment_id", "deleted", "merit"),
)

training_runs = Table(
    "api_training_runs",
    metadata,
    _id(),
    Column("client_id", ForeignKey("api_clients.id"), nullable=False),
    Column("project_id", ForeignKey("api_projects.id"), nullable=False),
    Column("experiment_id", ForeignKey("api_experiments.id")),
    Column("suggestion_id", ForeignKey("api_suggestions.id")),
    Column("observation_id", Integer),
    Column("optimized_suggestion", Boolean, nullable=False),
    Column("name", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("favorite", Boolean, nullable=False, server_default=false()),
    Column("document", Text, nullable=False),
    Column("checkpoint_count", Integer, nullable=False, server_default="0"),
    _created(),
    Column("updated", Integer, nullable=False),
    Column("completed", Integer),
    _deleted(),
    Index("api_training_runs_of_project", "project_id", "deleted", "id"),
    Index("api_training_runs_of_client", "client_id", "deleted", "id"),
    Index("api_training_runs_of_experiment", "experiment_id", "deleted", "state"),
)

checkpoints = Table(
    "api_checkpoints",
    metadata,
    _id(),
    Column("training_run_id", ForeignKey("api_training_runs.id"), nullable=False, index=True),
    Column("values", Text, nullable=False),
    Column("metadata", Text),
    _created(),
)

files = Table(
    "api_files",
    metadata,
    _id(),
    Column("client_id", ForeignKey("api_clients.id"), nullable=False),
    Column("training_run_id", ForeignKey("api_training_runs.id"), nullable=False, index=True),
    Column("name", Text),
    Column("filename", Text),
    Column("content_length", Integer, nullable=False),
    Column("content_type", Text, nullable=False),
    Column("content_md5", Text, nullable=False),
    Column("secret", String(64), nullable=False),  # signs the file's upload and download addresses
    Column("uploaded", Boolean, nullable=False),
    _created(),
)

tags = Table(
    "api_tags",
    metadata,
    _id(),
    Column("client_id", ForeignKey("api_clients.id"), nullable=False),
    Column("name", String(100), nullable=False),
    Column("color", String(16), nullable=False),
    _created(),
    UniqueConstraint("client_id", "name"),
)

training_run_tags = Table(
    "api_training_run_tags",
    metadata,
    Column("training_run_id", ForeignKey("api_training_runs.id"), primary_key=True),
    Column("tag_id", ForeignKey("api_tags.id"), primary_key=True),
)
