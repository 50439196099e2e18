"""The least IAM policy for what a file uses: no more actions, and tags where EC2 knows them."""

from typing import Any

from sigopt_orchestrate.spec import Ec2, Experiment
from sigopt_orchestrate.spec.artifacts import Artifacts, split_uri
from sigopt_orchestrate.spec.cluster import ClusterFile

Json = dict[str, Any]

_EXPERIMENT = "orchestrate:experiment"
_CLUSTER = "orchestrate:cluster"
_EC2 = "arn:aws:ec2:*:*"


def experiment_policy(spec: Experiment) -> Json:
    """Returns the policy for whoever runs an experiment with `backend: ec2` or `artifacts`."""
    found: list[Json] = []
    if spec.backend is not None and spec.backend.ec2 is not None:
        found += _fleet(spec, spec.backend.ec2)
    if spec.artifacts is not None:
        found += _bucket(spec.artifacts)
    return _document(found)


def _bucket(wanted: Artifacts) -> list[Json]:
    """What is put, found and removed below the prefix; couriers act by the same rights."""
    name, prefix = split_uri(wanted.uri)
    bucket = f"arn:aws:s3:::{name}"
    objects = [
        "s3:AbortMultipartUpload",
        "s3:DeleteObject",
        "s3:GetObject",
        "s3:ListMultipartUploadParts",
        "s3:PutObject",
    ]
    below = f"{bucket}/{prefix}/*" if prefix else f"{bucket}/*"
    # HeadBucket, which tells the region, is allowed by ListBucket too, and names no prefix.
    only = {"StringLikeIfExists": {"s3:prefix": f"{prefix}/*"}} if prefix else None
    looks = ["s3:ListBucket", "s3:ListBucketMultipartUploads"]
    return [
        _allow("FindArtifacts", looks, bucket, only),
        _allow("KeepArtifacts", objects, below),
    ]


def _fleet(spec: Experiment, wanted: Ec2) -> list[Json]:
    looks = [
        "ec2:DescribeInstances",
        "ec2:DescribeInstanceTypes",
        "ec2:DescribeInstanceTypeOfferings",
        "ec2:DescribeSubnets",
        "ec2:DescribeLaunchTemplateVersions",
        "servicequotas:GetServiceQuota",
        "pricing:GetProducts",
    ]
    if spec.resources.spot in ("prefer", "require"):
        looks.append("ec2:DescribeSpotPriceHistory")
    if wanted.disk is not None:
        looks.append("ec2:DescribeImages")
    mine = {"StringLike": {f"aws:ResourceTag/{_EXPERIMENT}": "orc-*"}}
    asked = {"StringLike": {f"aws:RequestTag/{_EXPERIMENT}": "orc-*"}}
    templates = f"{_EC2}:launch-template/*"
    found = [
        _allow("Look", looks, "*"),
        _allow("MakeTemplate", ["ec2:CreateLaunchTemplate"], templates, asked),
        _allow(
            "KeepTemplate",
            ["ec2:CreateLaunchTemplateVersion", "ec2:DeleteLaunchTemplate"],
            templates,
            mine,
        ),
        _allow("AskForFleet", ["ec2:CreateFleet"], "*"),
        _allow("LaunchTagged", ["ec2:RunInstances"], _arns("instance", "volume"), asked),
        _allow("LaunchWith", ["ec2:RunInstances"], _parts(spec)),
        _allow("End", ["ec2:TerminateInstances"], f"{_EC2}:instance/*", mine),
        _allow("TagNew", ["ec2:CreateTags"], f"{_EC2}:*/*", _CREATING),
        _allow("Vouch", ["ec2:CreateTags"], f"{_EC2}:instance/*", mine),
    ]
    if wanted.ami.startswith("/"):
        parameter = f"arn:aws:ssm:*:*:parameter{wanted.ami}"
        found.append(_allow("FindImage", ["ssm:GetParameter", "ssm:GetParameters"], parameter))
    if wanted.profile is not None:
        name = wanted.profile.rpartition("/")[2]
        to_ec2 = {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}}
        found.append(_allow("PassRole", ["iam:PassRole"], f"arn:aws:iam::*:role/{name}", to_ec2))
    if spec.nodes.count > 1:
        group = f"{_EC2}:placement-group/orc-*"
        made = ["ec2:CreatePlacementGroup", "ec2:DeletePlacementGroup"]
        found.append(_allow("PlaceTogether", made, group))
    return found


_CREATING = {
    "StringEquals": {
        "ec2:CreateAction": [
            "CreateFleet",
            "RunInstances",
            "CreateLaunchTemplate",
            "CreatePlacementGroup",
        ]
    }
}


def _parts(spec: Experiment) -> list[str]:
    """The things that a launch uses and does not make."""
    assert spec.backend is not None  # noqa: S101
    assert spec.backend.ec2 is not None  # noqa: S101
    wanted = spec.backend.ec2
    found = ["arn:aws:ec2:*::image/*", *_arns("launch-template", "network-interface")]
    found += [f"{_EC2}:subnet/{name}" for name in wanted.subnets or ("*",)]
    found += [f"{_EC2}:security-group/{name}" for name in wanted.security_groups or ("*",)]
    return found + (_arns("placement-group") if spec.nodes.count > 1 else [])


def cluster_policy(file: ClusterFile) -> Json:
    """Returns the policy for whoever makes and removes an EKS cluster."""
    name = file.name
    tagged = {"StringEquals": {f"aws:ResourceTag/{_CLUSTER}": name}}
    network = [
        "ec2:AttachInternetGateway",
        "ec2:AssociateRouteTable",
        "ec2:CreateInternetGateway",
        "ec2:CreateRoute",
        "ec2:CreateRouteTable",
        "ec2:CreateSubnet",
        "ec2:CreateTags",
        "ec2:CreateVpc",
    ]
    ending = [
        "ec2:DeleteInternetGateway",
        "ec2:DeleteRouteTable",
        "ec2:DeleteSubnet",
        "ec2:DeleteVpc",
        "ec2:DetachInternetGateway",
        "ec2:DisassociateRouteTable",
        "ec2:ModifySubnetAttribute",
        "ec2:ModifyVpcAttribute",
    ]
    looks = [
        "ec2:DescribeAvailabilityZones",
        "ec2:DescribeInternetGateways",
        "ec2:DescribeRouteTables",
        "ec2:DescribeSubnets",
        "ec2:DescribeVpcs",
        "iam:ListOpenIDConnectProviders",
        "pricing:GetProducts",
    ]
    roles = [
        "iam:AttachRolePolicy",
        "iam:CreateRole",
        "iam:DeleteRole",
        "iam:DeleteRolePolicy",
        "iam:DetachRolePolicy",
        "iam:GetRole",
        "iam:ListAttachedRolePolicies",
        "iam:ListRolePolicies",
        "iam:PassRole",
        "iam:PutRolePolicy",
        "iam:TagRole",
    ]
    provider = [
        "iam:CreateOpenIDConnectProvider",
        "iam:DeleteOpenIDConnectProvider",
        "iam:GetOpenIDConnectProvider",
        "iam:TagOpenIDConnectProvider",
    ]
    eks = [
        "eks:CreateCluster",
        "eks:CreateNodegroup",
        "eks:DeleteCluster",
        "eks:DeleteNodegroup",
        "eks:DescribeCluster",
        "eks:DescribeNodegroup",
        "eks:ListNodegroups",
        "eks:TagResource",
        "eks:UpdateNodegroupConfig",
    ]
    if file.admins:
        entries = ("CreateAccessEntry", "DescribeAccessEntry", "DeleteAccessEntry")
        eks += [f"eks:{action}" for action in (*entries, "AssociateAccessPolicy")]
    arns = [f"arn:aws:eks:*:*:{kind}/{name}" for kind in ("cluster",)]
    arns += [f"arn:aws:eks:*:*:{kind}/{name}/*" for kind in ("nodegroup", "access-entry")]
    found = [
        _allow("Look", looks, "*"),
        _allow("MakeNetwork", network, "*"),
        _allow("ChangeAndRemoveNetwork", ending, "*", tagged),
        _allow("Roles", roles, f"arn:aws:iam::*:role/orchestrate-{name}-*"),
        _allow("Provider", provider, "arn:aws:iam::*:oidc-provider/oidc.eks.*"),
        _allow("Cluster", eks, arns),
    ]
    if file.repository:
        acts = ("CreateRepository", "DeleteRepository", "DescribeRepositories", "TagResource")
        where = f"arn:aws:ecr:*:*:repository/orchestrate/{name.lower()}"
        found.append(_allow("Repository", [f"ecr:{action}" for action in acts], where))
    return _document(found)


def _arns(*kinds: str) -> list[str]:
    return [f"{_EC2}:{kind}/*" for kind in kinds]


def _allow(
    name: str, actions: list[str], resources: str | list[str], condition: Json | None = None
) -> Json:
    given = {"Condition": condition} if condition else {}
    return {"Sid": name, "Effect": "Allow", "Action": actions, "Resource": resources, **given}


def _document(statements: list[Json]) -> Json:
    return {"Version": "2012-10-17", "Statement": statements}
