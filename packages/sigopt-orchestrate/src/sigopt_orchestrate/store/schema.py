"""The tables as they are now; `migrations` leads here from every earlier schema."""

from sqlalchemy import (
    Boolean,
    Column,
    Float,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
)

metadata = MetaData()

experiments = Table(
    "experiments",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("spec", Text, nullable=False),
    Column("directory", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("stop_requested", Boolean, nullable=False),
    Column("paused", Boolean, nullable=False, server_default=false()),
    Column("retries", Text),  # trials' numbers, as JSON, until the leader has taken them up
    Column("reason", Text),
    Column("created_at", Float, nullable=False),
    Column("ended_at", Float),
)

trials = Table(
    "trials",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("experiment_id", ForeignKey("experiments.id"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("assignments", Text, nullable=False),
    Column("source", String(32), nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("errors", Integer, nullable=False),
    Column("losses", Integer, nullable=False),
    Column("ooms", Integer, nullable=False, server_default="0"),
    Column("reason", Text),
    Column("created_at", Float, nullable=False),
    UniqueConstraint("experiment_id", "number"),
)

# Intent: a row is committed before anything is started in its name.
attempts = Table(
    "attempts",
    metadata,
    Column("trial_id", ForeignKey("trials.id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("token", String(36), nullable=False, unique=True),
    Column("started_at", Float, nullable=False),
    Column("ended_at", Float),
)

# The primary key is what makes an observation happen once.
observations = Table(
    "observations",
    metadata,
    Column("trial_id", ForeignKey("trials.id"), primary_key=True),
    Column("attempt", Integer, nullable=False),
    Column("failed", Boolean, nullable=False),
    Column("metrics", Text),
    Column("created_at", Float, nullable=False),
)

# What an attempt said after a newer one had been observed: evidence, and nothing else.
late_reports = Table(
    "late_reports",
    metadata,
    Column("trial_id", ForeignKey("trials.id"), primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("failed", Boolean, nullable=False),
    Column("metrics", Text),
    Column("reason", Text),
    Column("created_at", Float, nullable=False),
)

events = Table(
    "events",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("trial_id", ForeignKey("trials.id"), nullable=False, index=True),
    Column("attempt", Integer, nullable=False),
    Column("before", String(16)),
    Column("after", String(16), nullable=False),
    Column("cause", Text),
    Column("at", Float, nullable=False),
)

# One row: tells this store's files from those of another database.
store = Table("store", metadata, Column("name", String(36), primary_key=True))
