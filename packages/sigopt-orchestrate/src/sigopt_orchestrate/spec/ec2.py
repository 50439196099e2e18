"""Instances of Amazon EC2 that work trials, as an experiment file describes them."""

from pathlib import PurePath
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import Field, StringConstraints, model_validator

from sigopt_orchestrate.spec.duration import Duration
from sigopt_orchestrate.spec.memory import Memory
from sigopt_orchestrate.spec.section import Number, Section, refusal

InstanceType = Annotated[
    str, StringConstraints(pattern=r"^[a-z][a-z0-9-]*\.[a-z0-9-]+$", max_length=40)
]
DEFAULT_PORT = 8701
AMAZON_LINUX = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"


class Tls(Section):
    """With it, instances reach this machine over TLS and trust this certificate alone.

    Attributes:
        certificate: A PEM file whose subject is the address's host; may be signed by itself.
        key: The PEM file of its private key; it never leaves this machine.
    """

    certificate: str
    key: str


class Ec2(Section):
    """A fleet of instances, each of which works one trial after the other.

    Attributes:
        region: The AWS configuration's by default.
        types: Instance types that will do, the preferred ones first. Where one has no capacity,
            in one zone or in all, the others are asked.
        subnets: Where instances may be; all of the default VPC's by default.
        security_groups: What lets instances reach `address`; the VPC's default by default.
        ami: An image's id, or the SSM parameter that holds one. It needs python3 (3.9 or newer)
            and cloud-init.
        profile: The instance profile that trials get their permissions from; none by default.
        disk: The bytes of the root volume; the image's by default.
        address: The URL under which instances reach this machine; by default `http://`, this
            machine's address in its network, and port 8701.
        listen: The address and port on which this machine listens, `0.0.0.0` and the address's
            port by default; for a machine behind a forwarded port.
        tls: Trials with `secrets` need it.
        setup: A shell script that an instance runs once, in the copied folder, before its first
            trial.
        source: Whether the experiment's folder is copied to the instances; the command runs in
            the copy.
        exclude: Names or patterns of what is not copied, beside `.git`, `.orchestrate`, `.venv`
            and `__pycache__`.
        lease: An instance that hears nothing from this machine for so long ends itself.
        idle: So long an instance without a trial is kept.
        prices: USD per hour by instance type, where you pay others than the public ones.
        boot: From the launch of an instance to the first word of its agent.
    """

    region: Annotated[str, StringConstraints(pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")] | None = None
    types: Annotated[tuple[InstanceType, ...], Field(min_length=1, max_length=50)] = (
        "m7i.large",
        "m6i.large",
        "m5.large",
    )
    subnets: tuple[Annotated[str, StringConstraints(pattern=r"^subnet-[0-9a-f]+$")], ...] = ()
    security_groups: tuple[Annotated[str, StringConstraints(pattern=r"^sg-[0-9a-f]+$")], ...] = ()
    ami: Annotated[str, StringConstraints(pattern=r"^(ami-[0-9a-f]+|/\S+)$")] = AMAZON_LINUX
    profile: str | None = None
    disk: Memory | None = None
    address: str | None = None
    listen: Annotated[str, StringConstraints(pattern=r"^\S+:\d{1,5}$")] | None = None
    tls: Tls | None = None
    setup: str | None = None
    source: bool = True
    exclude: tuple[str, ...] = ()
    prices: dict[InstanceType, Annotated[Number, Field(ge=0)]] = Field(default_factory=dict)
    lease_s: Annotated[Duration, Field(ge=2, le=86400)] = Field(default=120.0, alias="lease")
    idle_s: Duration = Field(default=60.0, alias="idle")
    boot_s: Duration = Field(default=600.0, alias="boot")

    @model_validator(mode="after")
    def _check(self) -> Self:
        for index, name in enumerate(self.types):
            if name in self.types[:index]:
                raise refusal(f"{name!r} is named more than once", "types", index)
        for index, pattern in enumerate(self.exclude):
            if PurePath(pattern).is_absolute():
                raise refusal(f"{pattern!r} must be relative to the folder", "exclude", index)
        if self.address is not None:
            self._check_address(self.address)
        return self

    def _check_address(self, address: str) -> None:
        wanted = "https" if self.tls is not None else "http"
        try:
            parts = urlsplit(address)
            good = parts.scheme == wanted and parts.hostname and parts.port
        except ValueError:
            good = False
        if not good or parts.path.strip("/"):
            raise refusal(f"must be {wanted}://HOST:PORT, not {address!r}", "address")
