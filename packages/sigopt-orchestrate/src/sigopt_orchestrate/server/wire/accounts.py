"""The bodies of projects and tokens."""

from typing import Annotated, Literal

from pydantic import Field

from sigopt_orchestrate.server.wire.fields import Body, Id, Metadata, Name, Whole

Slug = Annotated[str, Field(min_length=1, max_length=32, pattern=r"^[a-z0-9\-_.]+$")]


class ProjectCreate(Body):
    """Creates a project, whose `id` is its slug."""

    id: Slug
    name: Name
    metadata: Metadata | None = None


class ProjectUpdate(Body):
    """Changes the keys given."""

    name: Name | None = None
    metadata: Metadata | None = None
    deleted: bool | None = None


class TokenCreate(Body):
    """Creates a token of the client.

    Attributes:
        lease_length: How long it is valid, in seconds; without one it has no end.
    """

    name: Name | None = None
    scope: Literal["admin", "write", "read"] = "write"
    lease_length: Annotated[Whole, Field(ge=1, le=10**9)] | None = None


class TokenUpdate(Body):
    """Changes the keys given."""

    name: Name | None = None
    lease_length: Annotated[Whole, Field(ge=1, le=10**9)] | None = None
    expires: Annotated[Whole, Field(ge=0, le=2**31 - 1)] | None = None


class NarrowTokenCreate(Body):
    """Creates a token for one experiment or one training run."""

    lease_length: Annotated[Whole, Field(ge=1, le=10**9)] | None = None


class TagReference(Body):
    """Names a tag to put on a run."""

    id: Id
