"""Where trials run: on this machine, unless the file names a Kubernetes cluster or EC2."""

import re
from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from sigopt_orchestrate.spec.ec2 import Ec2
from sigopt_orchestrate.spec.section import Section, Whole, refusal

Label = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")]
LabelKey = Annotated[
    str,
    StringConstraints(
        pattern=r"^([a-z0-9.-]{1,253}/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$"
    ),
]
Image = Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=r"^\S+$")]
SERVER_VARIABLES = ("SIGOPT_API_URL", "SIGOPT_API_TOKEN", "SIGOPT_PROJECT", "SIGOPT_CONTEXT")
"""What the sigopt client reads; each attempt has its own where the experiment names a server."""
_SOURCES = ("claim", "host_path", "config_map", "secret", "empty_dir", "nfs")


class Build(Section):
    """The trials' image, built when the experiment begins and then known by its digest.

    Attributes:
        context: The folder that the builder sees, relative to the experiment file's.
        dockerfile: Relative to the context.
        image: What to call it in a registry that both we and the cluster reach.
    """

    context: str = "."
    dockerfile: str = "Dockerfile"
    image: Annotated[Image, StringConstraints(pattern=r"^[^@]+$")]


class Mpi(Section):
    """The command starts MPI processes, by `mpiexec`, on all nodes of the trial.

    Attributes:
        slots: How many processes one node takes.
    """

    slots: Annotated[Whole, Field(ge=1)] = 1


class Nodes(Section):
    """How many nodes one trial runs on, all at once or not at all.

    Attributes:
        count: How many pods.
        mpi: With it the command runs once and starts the others itself; without it the command
            runs on every node, with torchrun's variables.
    """

    count: Annotated[Whole, Field(ge=1, le=1000)] = 1
    mpi: Mpi | None = None


class Nfs(Section):
    """A folder of an NFS server."""

    server: str
    path: str


class Volume(Section):
    """Something that is mounted into every pod of a trial; exactly one source.

    Attributes:
        mount: The path in the container.
        claim: A PersistentVolumeClaim of the namespace.
        host_path: A folder of the node.
        empty_dir: A fresh folder of each pod: `{}`, or Kubernetes' fields.
    """

    name: Label
    mount: Annotated[str, StringConstraints(pattern=r"^/.+")]
    read_only: bool = False
    claim: str | None = None
    host_path: str | None = None
    config_map: str | None = None
    secret: str | None = None
    empty_dir: dict[str, Any] | None = None
    nfs: Nfs | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        given = [name for name in _SOURCES if getattr(self, name) is not None]
        if len(given) != 1:
            raise refusal(f"needs exactly one of {', '.join(_SOURCES)}, not {len(given)}")
        return self


class Server(Section):
    """An orchestrate server to which trials may report, each by a token that is good for it alone.

    Attributes:
        url: As the trials' pods reach it.
        project: Gets a training run for each attempt.
    """

    url: Annotated[str, StringConstraints(pattern=r"^https?://[^\s/?#]+(/[^\s?#]*)?$")]
    project: Annotated[str, StringConstraints(pattern=r"^[a-z0-9\-_.]{1,32}$")]


class Kubernetes(Section):
    """A namespace of a cluster, and what the trials' pods have in common there.

    Attributes:
        cluster: A name that `orchestrate cluster connect` has given to a context and namespace.
        context: Of the kubeconfig; its current one by default. Inside a cluster, where there is no
            kubeconfig, the pod's own service account is used.
        namespace: The context's by default.
        node_selector: Labels that a node must have.
        tolerations: In Kubernetes' own words; so is `affinity`.
        pull_secrets: Secrets with the image registry's password.
        output: The name of a volume that keeps `$ORCHESTRATE_OUTPUT` beyond the pod, one folder
            for each trial, so that a trial that was lost finds its checkpoints again.
        queue: Kueue's LocalQueue that admits the trials; needs Jobs (Kubernetes 1.29).
        gangs: As what kind of object a trial of several nodes is given to a cluster that has it and
            lets us; elsewhere as Jobs or pods, by the same protocol.
        exclusive_topology: A node label; a gang has the nodes with one value of it to itself. Needs
            JobSets.
        server: Where programs with the sigopt client's own calls report; nothing else needs it.
        user: The numeric user that the command runs as; 0 gives up the restricted security
            context.
    """

    cluster: str | None = None
    context: str | None = None
    namespace: Label | None = None
    node_selector: dict[str, str] = Field(default_factory=dict)
    tolerations: tuple[dict[str, Any], ...] = ()
    affinity: dict[str, Any] | None = None
    pull_secrets: tuple[str, ...] = ()
    pull_policy: Literal["Always", "IfNotPresent", "Never"] = "IfNotPresent"
    volumes: tuple[Volume, ...] = ()
    output: str | None = None
    workdir: str | None = None
    user: Annotated[Whole, Field(ge=0)] = 1000
    priority_class: str | None = None
    queue: Label | None = None
    gangs: Literal["job", "jobset", "mpijob"] = "job"
    exclusive_topology: LabelKey | None = None
    server: Server | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        names = [volume.name for volume in self.volumes]
        for index, name in enumerate(names):
            if name in names[:index]:
                raise refusal(f"{name!r} is defined more than once", "volumes", index)
            if name.startswith("orc-"):
                raise refusal(f"{name!r}: names that begin with orc- are ours", "volumes", index)
        if self.output is not None and self.output not in names:
            known = ", ".join(names) or "there are none"
            raise refusal(f"{self.output!r} is none of the volumes ({known})", "output")
        if self.exclusive_topology is not None and self.gangs != "jobset":
            raise refusal("needs `gangs: jobset`", "exclusive_topology")
        if self.cluster is not None and (self.context or self.namespace):
            raise refusal("says which context and namespace already", "cluster")
        return self


class Backend(Section):
    """Where trials run.

    Attributes:
        kubernetes: Counts where `ec2` is None.
        ec2: Instances of Amazon EC2.
    """

    kubernetes: Kubernetes = Kubernetes()
    ec2: Ec2 | None = None

    @model_validator(mode="before")
    @classmethod
    def _accept_a_name(cls, data: Any) -> Any:
        return {data: {}} if data in ("kubernetes", "ec2") else data

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.ec2 is not None and self.kubernetes != Kubernetes():
            raise refusal("cannot be both; name kubernetes or ec2")
        return self


CPU = re.compile(r"\d+(\.\d{1,3})?|\d+m")


def parse_cpu(value: object) -> float:
    """Returns the cores that `value` stands for: `4`, `0.5` or `500m`.

    Raises:
        PydanticCustomError: If it stands for none.
    """
    text = str(value)
    if isinstance(value, bool) or not CPU.fullmatch(text):
        raise refusal(f"must be a number of cores such as 4, 0.5 or 500m, not {value!r}")
    cores = float(text[:-1]) / 1000 if text.endswith("m") else float(text)
    if cores <= 0:
        raise refusal(f"must be above 0, not {value!r}")
    return cores
