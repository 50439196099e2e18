"""An old `cluster.yml` as a validated plan of a cluster."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from sigopt_orchestrate.errors import SpecError

_NAME = re.compile(r"[a-zA-Z][-a-zA-Z0-9]*")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class NodeGroup(_Strict):
    """Machines of one type.

    Attributes:
        min_nodes: How many are always there; may be 0.
        max_nodes: How many there are at most.
        node_volume_size: Of each machine's disk, in GB.
    """

    instance_type: str = Field(min_length=1)
    min_nodes: int = Field(default=0, ge=0)
    max_nodes: int = Field(ge=1)
    node_volume_size: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.min_nodes > self.max_nodes:
            raise PydanticCustomError(
                "refusal", "min_nodes ({low}) must not be above max_nodes ({high})",
                {"low": self.min_nodes, "high": self.max_nodes},
            )  # fmt: skip
        return self


class ClusterPlan(_Strict):
    """What a cluster is to be.

    Attributes:
        nodes: The machines by group: `cpu`, `gpu`, `system`.
        policies: Further IAM policies of the machines, by their names.
    """

    name: str
    provider: Literal["aws", "custom"]
    nodes: dict[str, NodeGroup]
    policies: list[str] = Field(default_factory=list)


@dataclass
class MigratedCluster:
    """What became of a `cluster.yml`."""

    plan: ClusterPlan
    notes: list[str] = field(default_factory=list)


def migrate_cluster(data: Mapping[str, Any], where: str) -> MigratedCluster:
    """Returns the plan that replaces an old `cluster.yml`.

    Args:
        data: What the file holds.
        where: What errors begin with.

    Raises:
        SpecError: If the file breaks a rule of the old tool.
    """
    rest, notes = dict(data), []
    name = str(rest.pop("cluster_name", ""))
    if not _NAME.fullmatch(name):
        raise SpecError(
            f"{where}: cluster_name: must be letters, digits and hyphens after a letter, "
            f"not {name!r}"
        )
    groups = {key: rest.pop(key) for key in ("cpu", "gpu", "system") if rest.get(key)}
    if not {"cpu", "gpu"} & groups.keys():
        raise SpecError(f"{where}: cpu or gpu: at least one group of machines is required")
    aws = rest.pop("aws", None) or {}
    if {"aws_access_key_id", "aws_secret_access_key"} & set(aws):
        notes.append("aws: its keys are dropped; credentials do not belong in a file")
    if version := rest.pop("kubernetes_version", None):
        notes.append(f"kubernetes_version: {version} is dropped; a supported one is chosen")
    if "system" not in groups and rest.get("provider") == "aws":
        notes.append("system: the old tool added a t3.large that always runs; none is added")
    plan = {
        "name": name,
        "provider": rest.pop("provider", None),
        "nodes": groups,
        "policies": aws.get("additional_policies") or [],
    }
    notes += [f"{key}: dropped; the plan has nothing like it" for key in rest]
    try:
        return MigratedCluster(ClusterPlan.model_validate(plan), notes)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise SpecError(f"{where}: {key}: {first['msg']}") from None
