"""The launch template of an experiment: what all of its instances have in common."""

import base64
from typing import Any

from sigopt_orchestrate.aws.session import AwsError, Client, tags
from sigopt_orchestrate.executors.ec2.names import EXPERIMENT, Names
from sigopt_orchestrate.spec import Experiment
from sigopt_orchestrate.spec.ec2 import Ec2

Json = dict[str, Any]


def ensure_template(
    ec2: Client, ssm: Client, names: Names, spec: Experiment, script: str
) -> tuple[str, str]:
    """Returns the id and version of a template that says what is wanted, made where it is not.

    Raises:
        AwsError: If AWS refuses.
    """
    data = _data(ec2, ssm, names, spec, script)
    token = names.root
    made = [{"ResourceType": "launch-template", "Tags": tags({EXPERIMENT: names.root})}]
    try:
        found = ec2.call(
            "create_launch_template",
            LaunchTemplateName=names.root,
            LaunchTemplateData=data,
            ClientToken=token,
            TagSpecifications=made,
        )["LaunchTemplate"]
    except AwsError as error:
        if error.code not in {
            "InvalidLaunchTemplateName.AlreadyExistsException",
            "IdempotentParameterMismatch",
        }:
            raise
    else:
        return str(found["LaunchTemplateId"]), str(found["LatestVersionNumber"])
    held = ec2.call(
        "describe_launch_template_versions", LaunchTemplateName=names.root, Versions=["$Latest"]
    )["LaunchTemplateVersions"][0]
    if held["LaunchTemplateData"].get("UserData") == data["UserData"]:
        return str(held["LaunchTemplateId"]), str(held["VersionNumber"])
    new = ec2.call(
        "create_launch_template_version", LaunchTemplateName=names.root, LaunchTemplateData=data
    )["LaunchTemplateVersion"]
    return str(new["LaunchTemplateId"]), str(new["VersionNumber"])


def remove_template(ec2: Client, names: Names, *, gang: bool) -> None:
    """Deletes the template, and a gang's placement group, where they are.

    Raises:
        AwsError: If AWS refuses.
    """
    _delete(
        ec2,
        "delete_launch_template",
        "InvalidLaunchTemplateName.NotFoundException",
        LaunchTemplateName=names.root,
    )
    if gang:
        _delete(
            ec2, "delete_placement_group", "InvalidPlacementGroup.Unknown", GroupName=names.root
        )


def _delete(ec2: Client, operation: str, gone: str, **given: str) -> None:
    try:
        ec2.call(operation, **given)
    except AwsError as error:
        if error.code != gone:
            raise


def image_id(ssm: Client, ami: str) -> str:
    """Returns the image that `ami` names: an id, or an SSM parameter that holds one."""
    if ami.startswith("ami-"):
        return ami
    return str(ssm.call("get_parameter", Name=ami)["Parameter"]["Value"])


def all_have_efa(ec2: Client, types: tuple[str, ...]) -> bool:
    """Returns whether every one of these types has an Elastic Fabric Adapter."""
    described = ec2.call("describe_instance_types", InstanceTypes=list(types))["InstanceTypes"]
    return all(one.get("NetworkInfo", {}).get("EfaSupported") for one in described)


def _data(ec2: Client, ssm: Client, names: Names, spec: Experiment, script: str) -> Json:
    assert spec.backend is not None  # noqa: S101
    assert spec.backend.ec2 is not None  # noqa: S101
    wanted = spec.backend.ec2
    image = image_id(ssm, wanted.ami)
    data: Json = {
        "ImageId": image,
        "UserData": base64.b64encode(script.encode()).decode(),
        "InstanceInitiatedShutdownBehavior": "terminate",
        "MetadataOptions": {
            "HttpEndpoint": "enabled",
            "HttpTokens": "required",
            "HttpPutResponseHopLimit": 1,
        },
        "TagSpecifications": [
            {"ResourceType": kind, "Tags": tags({EXPERIMENT: names.root, "Name": names.root})}
            for kind in ("instance", "volume")
        ],
    }
    if wanted.profile is not None:
        key = "Arn" if wanted.profile.startswith("arn:") else "Name"
        data["IamInstanceProfile"] = {key: wanted.profile}
    if wanted.disk is not None:
        data["BlockDeviceMappings"] = [_root_disk(ec2, image, wanted.disk)]
    data |= _network(ec2, names, spec, wanted)
    return data


def _network(ec2: Client, names: Names, spec: Experiment, wanted: Ec2) -> Json:
    """Security groups; for gangs a placement group, too, and EFA where all types have it."""
    groups = list(wanted.security_groups)
    plain: Json = {"SecurityGroupIds": groups} if groups else {}
    if spec.nodes.count == 1:
        return plain
    _ensure_placement_group(ec2, names)
    placed: Json = {"Placement": {"GroupName": names.root}}
    if not all_have_efa(ec2, wanted.types):
        return plain | placed
    interface: Json = {"DeviceIndex": 0, "InterfaceType": "efa", "DeleteOnTermination": True}
    return placed | {"NetworkInterfaces": [interface | ({"Groups": groups} if groups else {})]}


def _ensure_placement_group(ec2: Client, names: Names) -> None:
    try:
        ec2.call(
            "create_placement_group",
            GroupName=names.root,
            Strategy="cluster",
            TagSpecifications=[
                {"ResourceType": "placement-group", "Tags": tags({EXPERIMENT: names.root})}
            ],
        )
    except AwsError as error:
        if error.code != "InvalidPlacementGroup.Duplicate":
            raise


def _root_disk(ec2: Client, image: str, size: int) -> Json:
    described = ec2.call("describe_images", ImageIds=[image])["Images"]
    device = described[0].get("RootDeviceName", "/dev/xvda") if described else "/dev/xvda"
    gigabytes = -(-size // 10**9)
    ebs = {"VolumeSize": gigabytes, "VolumeType": "gp3", "DeleteOnTermination": True}
    return {"DeviceName": device, "Ebs": {**ebs, "Encrypted": True}}
