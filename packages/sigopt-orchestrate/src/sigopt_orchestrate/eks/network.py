"""The network: a VPC with a public subnet in each zone, and no NAT gateway to pay for."""

from typing import Any

from sigopt_orchestrate.aws.session import AwsError, tags
from sigopt_orchestrate.eks.steps import EXISTS, GONE, TAG, Context, Step, tolerant

_RANGE = "10.42.0.0/16"


def steps(zones: int) -> list[Step]:
    """Returns the network's steps, in order.

    Args:
        zones: In how many availability zones there is to be a subnet.
    """
    vpc = Step(
        "vpc",
        f"VPC {_RANGE}",
        lambda c: _find(c, "vpcs", "VpcId"),
        lambda c: _make(c, "vpc", "VpcId", CidrBlock=_RANGE),
        lambda c, i: _undo(c, "delete_vpc", VpcId=i),
        _settle_vpc,
    )
    gateway = Step(
        "gateway",
        "internet gateway",
        lambda c: _find(c, "internet_gateways", "InternetGatewayId"),
        lambda c: _make(c, "internet_gateway", "InternetGatewayId"),
        _undo_gateway,
        _settle_gateway,
    )
    table = Step(
        "routes",
        "route table",
        lambda c: _find(c, "route_tables", "RouteTableId"),
        lambda c: _make(c, "route_table", "RouteTableId", VpcId=c.made["vpc"]),
        _undo_table,
        _settle_table,
    )
    return [vpc, gateway, table, *(_subnet(number) for number in range(zones))]


def subnets(context: Context) -> list[str]:
    """Returns the ids of the subnets."""
    return [i for name, i in sorted(context.made.items()) if name.startswith("subnet ")]


def _subnet(number: int) -> Step:
    block = f"10.42.{16 * number}.0/20"
    role = {"orchestrate:part": f"subnet {number}", "kubernetes.io/role/elb": "1"}

    def make(context: Context) -> str:
        found = context.client("ec2").call(
            "describe_availability_zones",
            Filters=[{"Name": "zone-type", "Values": ["availability-zone"]}],
        )["AvailabilityZones"]
        zones = sorted(zone["ZoneName"] for zone in found)
        given = {"VpcId": context.made["vpc"], "CidrBlock": block}
        zone = zones[number % len(zones)]
        try:
            return _make(context, "subnet", "SubnetId", role, **given, AvailabilityZone=zone)
        except AwsError as error:
            found = _find(context, "subnets", "SubnetId", {"orchestrate:part": f"subnet {number}"})
            if error.code != "InvalidSubnet.Conflict" or not found:
                raise
            return found[0]  # made by a request whose answer was lost

    def settle(context: Context, subnet: str) -> None:
        ec2 = context.client("ec2")
        ec2.call("modify_subnet_attribute", SubnetId=subnet, MapPublicIpOnLaunch={"Value": True})
        table = context.made["routes"]
        described = ec2.call("describe_route_tables", RouteTableIds=[table])["RouteTables"][0]
        if subnet not in {a.get("SubnetId") for a in described["Associations"]}:
            ec2.call("associate_route_table", RouteTableId=table, SubnetId=subnet)

    return Step(
        f"subnet {number}",
        f"public subnet {block}",
        lambda c: _find(c, "subnets", "SubnetId", {"orchestrate:part": f"subnet {number}"}),
        make,
        lambda c, i: _undo(c, "delete_subnet", SubnetId=i),
        settle,
    )


def _find(context: Context, kind: str, key: str, having: dict[str, str] | None = None) -> list[str]:
    wanted = {TAG: context.file.name, **(having or {})}
    filters = [{"Name": f"tag:{name}", "Values": [value]} for name, value in wanted.items()]
    found = context.client("ec2").call(f"describe_{kind}", Filters=filters)
    answer = next(value for value in found.values() if isinstance(value, list))
    return sorted(str(one[key]) for one in answer)


def _make(
    context: Context, kind: str, key: str, more: dict[str, str] | None = None, **given: Any
) -> str:
    spec = {
        "ResourceType": kind.replace("_", "-"),
        "Tags": tags({**context.tags, **(more or {})}),
    }
    answer = context.client("ec2").call(f"create_{kind}", **given, TagSpecifications=[spec])
    made = next(value for value in answer.values() if isinstance(value, dict) and key in value)
    return str(made[key])


def _undo(context: Context, operation: str, **given: str) -> None:
    tolerant(lambda: context.client("ec2").call(operation, **given), GONE)


def _settle_vpc(context: Context, vpc: str) -> None:
    for name in ("EnableDnsSupport", "EnableDnsHostnames"):
        context.client("ec2").call("modify_vpc_attribute", VpcId=vpc, **{name: {"Value": True}})


def _settle_gateway(context: Context, gateway: str) -> None:
    ec2 = context.client("ec2")
    given = {"InternetGatewayId": gateway, "VpcId": context.made["vpc"]}
    tolerant(lambda: ec2.call("attach_internet_gateway", **given), EXISTS)


def _undo_gateway(context: Context, gateway: str) -> None:
    ec2 = context.client("ec2")
    found = ec2.call("describe_internet_gateways", InternetGatewayIds=[gateway])
    for one in found["InternetGateways"][0]["Attachments"]:
        given = {"InternetGatewayId": gateway, "VpcId": str(one["VpcId"])}
        _undo(context, "detach_internet_gateway", **given)
    _undo(context, "delete_internet_gateway", InternetGatewayId=gateway)


def _settle_table(context: Context, table: str) -> None:
    route = {"RouteTableId": table, "DestinationCidrBlock": "0.0.0.0/0"}
    ec2 = context.client("ec2")
    tolerant(lambda: ec2.call("create_route", **route, GatewayId=context.made["gateway"]), EXISTS)


def _undo_table(context: Context, table: str) -> None:
    ec2 = context.client("ec2")
    described = ec2.call("describe_route_tables", RouteTableIds=[table])["RouteTables"][0]
    for one in described["Associations"]:
        if not one.get("Main"):
            _undo(context, "disassociate_route_table", AssociationId=one["RouteTableAssociationId"])
    _undo(context, "delete_route_table", RouteTableId=table)
