"""What would stop an experiment on EC2, found before anything is launched."""

from collections.abc import Iterator
from typing import Literal

from sigopt_orchestrate.aws.prices import Prices
from sigopt_orchestrate.aws.session import NO_RIGHTS, AwsError, Client, client
from sigopt_orchestrate.errors import CloudError
from sigopt_orchestrate.executors.checks import Check
from sigopt_orchestrate.executors.ec2.template import all_have_efa, image_id
from sigopt_orchestrate.spec import Experiment
from sigopt_orchestrate.spec.ec2 import Ec2

_STANDARD_VCPUS = "L-1216C47A"  # Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances
_STANDARD_SPOT_VCPUS = "L-34B43A08"  # the same, for spot requests
_STANDARD = set("acdhimrtz")


def preflight(spec: Experiment) -> Iterator[Check]:
    """Yields what there is to say about an experiment with `backend: ec2`; nothing is created."""
    assert spec.backend is not None  # noqa: S101
    assert spec.backend.ec2 is not None  # noqa: S101
    wanted = spec.backend.ec2
    try:
        ec2 = client("ec2", wanted.region)
        who = client("sts", wanted.region).call("get_caller_identity")["Arn"]
        region = ec2.raw.meta.region_name
        yield Check("AWS", "ok", f"{who}, {region}")
        yield from _image(wanted)
        yield from _subnets(ec2, wanted)
        yield from _offers(ec2, wanted)
        yield from _quotas(ec2, spec, wanted)
        yield from _prices(str(region), spec, wanted)
        if spec.nodes.count > 1:
            efa = all_have_efa(ec2, wanted.types)
            said = "all types have EFA" if efa else "not all types have EFA: plain networking"
            yield Check("gang", "ok" if efa else "note", said)
        yield from _permissions(ec2)
    except AwsError as error:
        yield Check("AWS", "bad", str(error))
    except CloudError as error:
        yield Check("AWS", "bad", str(error))


def _image(wanted: Ec2) -> Iterator[Check]:
    if wanted.ami.startswith("/"):
        try:
            found = image_id(client("ssm", wanted.region), wanted.ami)
        except AwsError as error:
            yield Check("image", "bad", f"backend.ec2.ami: {wanted.ami}: {error}")
            return
        yield Check("image", "ok", f"{wanted.ami} is {found} now")


def _subnets(ec2: Client, wanted: Ec2) -> Iterator[Check]:
    filters = [{"Name": "default-for-az", "Values": ["true"]}]
    given = {"SubnetIds": list(wanted.subnets)} if wanted.subnets else {"Filters": filters}
    found = ec2.call("describe_subnets", **given)["Subnets"]
    if not found:
        yield Check("subnets", "bad", "backend.ec2.subnets: is required: there is no default VPC")
        return
    if len({one["VpcId"] for one in found}) > 1:
        yield Check("subnets", "bad", "backend.ec2.subnets: are of more than one VPC")
    zones = sorted({one["AvailabilityZone"] for one in found})
    yield Check("subnets", "ok" if len(zones) > 1 else "note", f"in {', '.join(zones)}")


def _offers(ec2: Client, wanted: Ec2) -> Iterator[Check]:
    filters = [{"Name": "instance-type", "Values": list(wanted.types)}]
    offered = ec2.pages(
        "describe_instance_type_offerings",
        "InstanceTypeOfferings",
        LocationType="availability-zone",
        Filters=filters,
    )
    zones = {name: sum(o["InstanceType"] == name for o in offered) for name in wanted.types}
    region = ec2.raw.meta.region_name
    missing = [name for name, count in zones.items() if not count]
    if len(missing) == len(zones):
        said = f"backend.ec2.types: {region} offers none of {', '.join(missing)}"
        yield Check("offers", "bad", said)
    elif missing:
        yield Check("offers", "note", f"{region} does not offer {', '.join(missing)}")
    else:
        said = ", ".join(f"{name} in {count} zones" for name, count in zones.items())
        yield Check("offers", "ok", said)


def _quotas(ec2: Client, spec: Experiment, wanted: Ec2) -> Iterator[Check]:
    """Whether the account may run so many vCPUs of the standard families at a time."""
    described = ec2.call("describe_instance_types", InstanceTypes=list(wanted.types))
    sizes = {
        one["InstanceType"]: one["VCpuInfo"]["DefaultVCpus"] for one in described["InstanceTypes"]
    }
    standard = [name for name in wanted.types if name[0] in _STANDARD and name in sizes]
    if not standard:
        yield Check("quotas", "note", "of these families are not checked")
        return
    asked = max(sizes[name] for name in standard) * spec.parallel * spec.nodes.count
    spot = spec.resources.spot in ("prefer", "require")
    code = _STANDARD_SPOT_VCPUS if spot else _STANDARD_VCPUS
    try:
        quota = client("service-quotas", wanted.region).call(
            "get_service_quota", ServiceCode="ec2", QuotaCode=code
        )["Quota"]["Value"]
    except AwsError as error:
        yield Check("quotas", "note", f"cannot be read: {error}")
        return
    market = "spot" if spot else "on-demand"
    said = f"{market} quota of {quota:g} vCPUs, and {spec.parallel} trials may take {asked}"
    yield Check("quotas", "ok" if asked <= quota else "note", said)


def _prices(region: str, spec: Experiment, wanted: Ec2) -> Iterator[Check]:
    """What an hour of the whole fleet costs at most, and whether a limit can be kept."""
    prices = Prices(region, wanted.prices)
    known = {name: prices.per_hour(name, "", "on-demand") for name in wanted.types}
    missing = [name for name, price in known.items() if price is None]
    if missing:
        verdict: Literal["bad", "note"] = "bad" if spec.limits.cost_usd is not None else "note"
        prefix = "limits.cost_usd: the prices" if verdict == "bad" else "those"
        own = ", ".join(f"{name}: ..." for name in missing)
        said = f"of {', '.join(missing)} are neither in our table nor to be had from AWS's list"
        mend = f"give USD per hour in the file, as backend.ec2.prices: {{{own}}}"
        yield Check("prices", verdict, f"{prefix} {said}; {mend}")
        return
    most = max(price or 0.0 for price in known.values()) * spec.parallel * spec.nodes.count
    yield Check("prices", "ok", f"at most {most:.2f} USD an hour, on demand; spot costs less")


def _permissions(ec2: Client) -> Iterator[Check]:
    """Rehearses what may be rehearsed; EC2 answers a dry run with an error in any case."""
    missing = []
    for call, given in (
        ("terminate_instances", {"InstanceIds": ["i-00000000000000000"]}),
        (
            "create_tags",
            {"Resources": ["i-00000000000000000"], "Tags": [{"Key": "a", "Value": ""}]},
        ),
        (
            "create_launch_template",
            {"LaunchTemplateName": "orc-rehearsal", "LaunchTemplateData": {}},
        ),
    ):
        try:
            ec2.call(call, DryRun=True, **given)
        except AwsError as error:
            if error.code in NO_RIGHTS:
                missing.append(call)
    if missing:
        said = f"you may not: {', '.join(missing)}; `orchestrate policy FILE` prints what is needed"
        yield Check("permissions", "bad", said)
    else:
        yield Check("permissions", "ok", "rehearsed; ec2:CreateFleet cannot be rehearsed so")
