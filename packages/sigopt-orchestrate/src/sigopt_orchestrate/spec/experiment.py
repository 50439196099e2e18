"""The experiment file as one validated value."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from sigopt_orchestrate.spec.artifacts import Artifacts
from sigopt_orchestrate.spec.backend import (
    Backend,
    Build,
    Image,
    Nodes,
    parse_cpu,
)
from sigopt_orchestrate.spec.command import Command, placeholders
from sigopt_orchestrate.spec.consistency import TASK, check_search, refuse_repeated
from sigopt_orchestrate.spec.duration import Duration
from sigopt_orchestrate.spec.early_stopping import EarlyStopping
from sigopt_orchestrate.spec.limits import Limits
from sigopt_orchestrate.spec.memory import Memory
from sigopt_orchestrate.spec.metrics import Metric
from sigopt_orchestrate.spec.parameters import Assignments, Parameter
from sigopt_orchestrate.spec.place import check_place
from sigopt_orchestrate.spec.section import Number, Section, Whole, refusal
from sigopt_orchestrate.spec.space import Conditional, LinearConstraint, Task

Algorithm = Literal["bayesian", "quasi-random", "random", "grid", "optuna-tpe", "optuna-gp", "ax"]


class OptimizerOptions(Section):
    """How suggestions are chosen.

    Attributes:
        algorithm: `bayesian` starts with a few evenly spread points and goes on with a Gaussian
            process; `quasi-random` stays with the even spread, `random` draws independently, and
            `grid` takes every combination of grids, ints and categories in turn; `optuna-tpe`,
            `optuna-gp` and `ax` are those packages' samplers, where they are installed.
        seed: The same seed and the same history give the same suggestion.
    """

    algorithm: Algorithm = "bayesian"
    seed: Annotated[Whole, Field(ge=0, lt=2**31)] = 0


class OutOfMemory(Section):
    """What becomes of a trial that ran out of memory.

    Attributes:
        max: How often it runs again.
        memory_factor: How many times the memory of the last attempt the next one gets.
    """

    max: Annotated[Whole, Field(ge=0)] = 2
    memory_factor: Annotated[Number, Field(ge=1)] = 1.5


class Retries(Section):
    """How often a trial runs again before its failure counts.

    Attributes:
        infra: For trials lost through no fault of their own, for example by a crash of the
            machine; not charged to the budget.
        error: For trials whose command failed.
        oom: For trials that ran out of memory.
    """

    infra: Annotated[Whole, Field(ge=0)] = 10
    error: Annotated[Whole, Field(ge=0)] = 0
    oom: OutOfMemory = OutOfMemory()


class Resources(Section):
    """What one trial may use; on Kubernetes, each of its nodes.

    Attributes:
        memory: The bytes of all its processes together; an attempt that uses more is ended and
            counts as out of memory. None for no limit.
        cpu: The cores that a node keeps free for it. Like all below but `spot`, for Kubernetes.
        cpu_limit: The cores that it can never use more of; None for no limit.
        gpu: How many GPUs.
        gpu_type: The resource that a GPU is to Kubernetes.
        disk: The bytes of the node's disk that it may use.
        spot: Whether it runs on nodes or instances that may be taken away.
    """

    memory: Memory | None = None
    cpu: Annotated[float, BeforeValidator(parse_cpu)] | None = None
    cpu_limit: Annotated[float, BeforeValidator(parse_cpu)] | None = None
    gpu: Annotated[Whole, Field(ge=0)] = 0
    gpu_type: Annotated[str, StringConstraints(pattern=r"^[^/\s]+/[^/\s]+$")] = "nvidia.com/gpu"
    disk: Memory | None = None
    spot: Literal["never", "prefer", "require"] | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.cpu is not None and self.cpu_limit is not None and self.cpu_limit < self.cpu:
            raise refusal(f"must be at least cpu ({self.cpu:g})", "cpu_limit")
        return self


class Timeouts(Section):
    """How long things may take.

    Attributes:
        trial_s: One attempt of a trial; none by default.
        pending_s: From the submission of an attempt to its start.
        heartbeat_s: A running trial whose orchestrate has died ends itself after this time, unless
            `orchestrate resume` adopts it before.
        grace_s: Between SIGTERM and SIGKILL when a trial is ended.
    """

    trial_s: Duration | None = Field(default=None, alias="trial")
    pending_s: Duration = Field(default=1800.0, alias="pending")
    heartbeat_s: Duration = Field(default=60.0, alias="heartbeat")
    grace_s: Duration = Field(default=10.0, alias="grace")


VariableName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


def _refuse_unquoted(value: object) -> object:
    if isinstance(value, bool):
        raise refusal(f"must be text or a number, not {str(value).lower()} (quote it)")
    return value


class Experiment(Section):
    """An experiment file: a command, its parameters, its metrics and a budget.

    With neither parameters nor metrics it is a single run, which may report any metric.

    Attributes:
        command: None where a Python program asks for trials and tells how they went.
        conditionals: Choices on which it depends which parameters a trial has.
        linear_constraints: What every trial's parameters satisfy.
        tasks: Cheaper ways to run a trial; each trial finds its own among the assignments.
        num_solutions: How many good solutions that differ are wanted.
        secrets: Environment variables that trials inherit from orchestrate. Their values are
            never stored, and are overwritten in the trials' logs.
        image: The container image that trials run in, best by digest; for Kubernetes.
        build: The image to build, in place of `image`.
        nodes: See `Nodes`; for Kubernetes.
        artifacts: Where outputs, checkpoints and logs are kept beside this machine; None: nowhere.
        backend: None for this machine.
    """

    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
    command: Annotated[Command, Field(min_length=1)] | None = None
    env: dict[str, Annotated[str | int | float, BeforeValidator(_refuse_unquoted)]] = Field(
        default_factory=dict
    )
    secrets: tuple[VariableName, ...] = ()
    parameters: tuple[Parameter, ...]
    metrics: tuple[Metric, ...]
    conditionals: tuple[Conditional, ...] = ()
    linear_constraints: tuple[LinearConstraint, ...] = ()
    tasks: tuple[Task, ...] = ()
    early_stopping: EarlyStopping | None = None
    num_solutions: Annotated[Whole, Field(ge=1, le=10_000)] = 1
    budget: Annotated[Whole, Field(ge=1)]
    parallel: Annotated[Whole, Field(ge=1)] = 1
    optimizer: OptimizerOptions = OptimizerOptions()
    retries: Retries = Retries()
    timeouts: Timeouts = Timeouts()
    resources: Resources = Resources()
    limits: Limits = Limits()
    artifacts: Artifacts | None = None
    image: Image | None = None
    build: Build | None = None
    nodes: Nodes = Nodes()
    backend: Backend | None = None

    @property
    def objectives(self) -> tuple[Metric, ...]:
        """The one or two metrics that steer the search; none in a single run."""
        return tuple(metric for metric in self.metrics if metric.strategy == "optimize")

    @property
    def image_name(self) -> str | None:
        """The image, or what it is going to be called."""
        return self.build.image if self.build is not None else self.image

    def built(self, image: str) -> Self:
        """Returns the experiment with its image built."""
        return self.model_copy(update={"image": image, "build": None})

    @property
    def is_single_run(self) -> bool:
        """Whether nothing is searched: the command runs, and whatever it reports is kept."""
        return not self.parameters and not self.metrics

    @property
    def constraints(self) -> tuple[Metric, ...]:
        """The metrics that must reach their thresholds."""
        return tuple(metric for metric in self.metrics if metric.strategy == "constraint")

    @property
    def steering(self) -> tuple[Metric, ...]:
        """What the optimiser is told of a trial: its objectives, then its constraints."""
        return self.objectives + self.constraints

    def known_names(self) -> list[str]:
        """The names that assignments may hold, in order; those of tasks left out."""
        return [part.name for part in (*self.conditionals, *self.parameters)]

    def active(self, assignments: Mapping[str, object]) -> Iterator[Parameter]:
        """Yields the parameters that count where the conditionals are as in `assignments`."""
        for p in self.parameters:
            if all(assignments.get(name) in wanted for name, wanted in p.conditions.items()):
                yield p

    def memory(self, ooms: int) -> int | None:
        """Returns the bytes for a trial that has run out of memory `ooms` times; None: no limit."""
        if self.resources.memory is None:
            return None
        return int(self.resources.memory * self.retries.oom.memory_factor**ooms)

    @property
    def defaults(self) -> Assignments | None:
        """The values that every parameter's `default` gives, or None where one has none.

        A conditional's default is its first value; parameters that then do not count need none.
        """
        values: Assignments = {c.name: c.values[0] for c in self.conditionals}
        for p in self.active(dict(values)):
            if p.default is None:
                return None
            values[p.name] = p.default
        return values

    @model_validator(mode="after")
    def _check(self) -> Self:
        refuse_repeated("parameters", self.known_names()[len(self.conditionals) :])
        refuse_repeated("conditionals", self.known_names()[: len(self.conditionals)])
        for index, parameter in enumerate(self.parameters):
            if parameter.name in {c.name for c in self.conditionals}:
                raise refusal(f"{parameter.name!r} is a conditional, too", "parameters", index)
        refuse_repeated("metrics", [m.name for m in self.metrics])
        for kind in ("parameters", "metrics"):
            if not getattr(self, kind) and not self.is_single_run:
                raise refusal("must be a list of at least 1", kind)
        if not self.is_single_run:
            check_search(self)
        for index, name in enumerate(self.secrets):
            if name in self.env:
                raise refusal(
                    f"{name!r} is in env too; a secret's value stays out of the file",
                    "secrets",
                    index,
                )
        check_place(self)
        if self.artifacts is not None and self.command is None:
            raise refusal("needs a `command`, whose trials orchestrate runs", "artifacts")
        known = [*self.known_names(), *((TASK,) if self.tasks else ())]
        for key, template in self._templates():
            try:
                unknown = [name for name in placeholders(template) if name not in known]
            except ValueError as error:
                raise refusal(str(error), *key) from None
            if unknown:
                raise refusal(
                    f"{{{unknown[0]}}} is not a parameter; the parameters are {', '.join(known)}, "
                    "and a literal brace is written twice",
                    *key,
                )
        return self

    def _templates(self) -> Iterator[tuple[tuple[str, ...], str]]:
        parts = (self.command,) if isinstance(self.command, str) else self.command or ()
        yield from ((("command",), part) for part in parts)
        yield from ((("env", name), str(value)) for name, value in self.env.items())
