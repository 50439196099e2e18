"""Roles, the OIDC provider by which pods take roles, the image registry, and who may come in."""

import json
from functools import partial
from typing import Any

from sigopt_orchestrate.aws.session import tags
from sigopt_orchestrate.eks.steps import EXISTS, GONE, Context, Step, tolerant

_AWS = "arn:aws:iam::aws:policy"
CLUSTER_POLICIES = (f"{_AWS}/AmazonEKSClusterPolicy",)
NODE_POLICIES = (
    f"{_AWS}/AmazonEKSWorkerNodePolicy",
    f"{_AWS}/AmazonEKS_CNI_Policy",
    f"{_AWS}/AmazonEC2ContainerRegistryReadOnly",
)
_ADMIN = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"
AUTOSCALER = "system:serviceaccount:kube-system:cluster-autoscaler"


def service_role(name: str, service: str, policies: tuple[str, ...]) -> Step:
    """Returns the step that makes a role which a service of AWS may take.

    Args:
        name: `cluster-role` or `node-role`.
        service: Such as `eks.amazonaws.com`.
        policies: ARNs of managed policies.
    """
    trust = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}

    def settle(context: Context, _role: str) -> None:
        iam = context.client("iam")
        held = iam.pages(
            "list_attached_role_policies", "AttachedPolicies", RoleName=context.name(name)
        )
        for arn in set(policies) - {one["PolicyArn"] for one in held}:
            iam.call("attach_role_policy", RoleName=context.name(name), PolicyArn=arn)

    return Step(
        name,
        f"IAM role for {service} with {', '.join(p.rpartition('/')[2] for p in policies)}",
        lambda c: _find_role(c, name),
        lambda c: _make_role(c, name, trust),
        lambda c, _id: _undo_role(c, name),
        settle,
    )


def repository() -> Step:
    """Returns the step that makes a registry for the cluster's images."""

    def find(context: Context) -> list[str]:
        ecr, name = context.client("ecr"), f"orchestrate/{context.file.name.lower()}"
        found = tolerant(lambda: ecr.call("describe_repositories", repositoryNames=[name]), GONE)
        return [one["repositoryUri"] for one in found["repositories"]] if found else []

    def make(context: Context) -> str:
        create = partial(
            context.client("ecr").call,
            "create_repository",
            repositoryName=f"orchestrate/{context.file.name.lower()}",
            tags=tags(context.tags),
            imageTagMutability="IMMUTABLE",
            imageScanningConfiguration={"scanOnPush": True},
        )
        made = tolerant(create, EXISTS)
        return str(made["repository"]["repositoryUri"]) if made else find(context)[0]

    def undo(context: Context, _uri: str) -> None:
        name = f"orchestrate/{context.file.name.lower()}"
        ecr = context.client("ecr")
        tolerant(lambda: ecr.call("delete_repository", repositoryName=name, force=True), GONE)

    return Step("repository", "ECR repository, with whatever images it holds", find, make, undo)


def oidc_provider() -> Step:
    """Returns the step that lets pods of the cluster take IAM roles."""

    def issuer(context: Context) -> str | None:
        eks = context.client("eks")
        found = tolerant(lambda: eks.call("describe_cluster", name=context.file.name), GONE)
        return found["cluster"].get("identity", {}).get("oidc", {}).get("issuer") if found else None

    def find(context: Context) -> list[str]:
        address = issuer(context)
        if address is None:
            return []
        iam = context.client("iam")
        listed = iam.call("list_open_id_connect_providers")["OpenIDConnectProviderList"]
        wanted = address.removeprefix("https://")
        return [one["Arn"] for one in listed if one["Arn"].endswith(f":oidc-provider/{wanted}")]

    def make(context: Context) -> str:
        create = partial(
            context.client("iam").call,
            "create_open_id_connect_provider",
            Url=issuer(context),
            ClientIDList=["sts.amazonaws.com"],
            ThumbprintList=["0" * 40],  # not looked at for EKS, whose authority AWS knows
            Tags=tags(context.tags),
        )
        made = tolerant(create, EXISTS)
        return str(made["OpenIDConnectProviderArn"]) if made else find(context)[0]

    def undo(context: Context, arn: str) -> None:
        iam = context.client("iam")
        given = {"OpenIDConnectProviderArn": arn}
        tolerant(lambda: iam.call("delete_open_id_connect_provider", **given), GONE)

    return Step("oidc", "OIDC provider, by which pods take IAM roles", find, make, undo)


def autoscaler_role() -> Step:
    """Returns the step that makes the cluster autoscaler's role: this cluster's groups alone."""

    def make(context: Context) -> str:
        provider = context.made["oidc"]
        issuer = provider.partition(":oidc-provider/")[2]
        same = {f"{issuer}:sub": AUTOSCALER, f"{issuer}:aud": "sts.amazonaws.com"}
        trust = {
            "Effect": "Allow",
            "Principal": {"Federated": provider},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {"StringEquals": same},
        }
        return _make_role(context, "autoscaler-role", trust)

    def settle(context: Context, _role: str) -> None:
        owned = f"aws:ResourceTag/k8s.io/cluster-autoscaler/{context.file.name}"
        looks = [
            "autoscaling:DescribeAutoScalingGroups",
            "autoscaling:DescribeAutoScalingInstances",
            "autoscaling:DescribeLaunchConfigurations",
            "autoscaling:DescribeScalingActivities",
            "ec2:DescribeImages",
            "ec2:DescribeInstanceTypes",
            "ec2:DescribeLaunchTemplateVersions",
            "ec2:GetInstanceTypesFromInstanceRequirements",
            "eks:DescribeNodegroup",
        ]
        acts = [
            "autoscaling:SetDesiredCapacity",
            "autoscaling:TerminateInstanceInAutoScalingGroup",
        ]
        policy = {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Action": looks, "Resource": "*"},
                {
                    "Effect": "Allow",
                    "Action": acts,
                    "Resource": "*",
                    "Condition": {"StringEquals": {owned: "owned"}},
                },
            ],
        }
        context.client("iam").call(
            "put_role_policy",
            RoleName=context.name("autoscaler-role"),
            PolicyName="autoscaler",
            PolicyDocument=json.dumps(policy),
        )

    return Step(
        "autoscaler-role",
        "IAM role of the cluster autoscaler",
        lambda c: _find_role(c, "autoscaler-role"),
        make,
        lambda c, _id: _undo_role(c, "autoscaler-role"),
        settle,
    )


def access_entry(arn: str) -> Step:
    """Returns the step that lets an IAM role or user do anything in the cluster."""

    def find(context: Context) -> list[str]:
        eks = context.client("eks")
        given = {"clusterName": context.file.name, "principalArn": arn}
        found = tolerant(lambda: eks.call("describe_access_entry", **given), GONE)
        return [arn] if found else []

    def make(context: Context) -> str:
        given = {"clusterName": context.file.name, "principalArn": arn}
        eks = context.client("eks")
        tolerant(lambda: eks.call("create_access_entry", **given, tags=context.tags), EXISTS)
        return arn

    def settle(context: Context, _id: str) -> None:
        context.client("eks").call(
            "associate_access_policy",
            clusterName=context.file.name,
            principalArn=arn,
            policyArn=_ADMIN,
            accessScope={"type": "cluster"},
        )

    def undo(context: Context, _id: str) -> None:
        given = {"clusterName": context.file.name, "principalArn": arn}
        eks = context.client("eks")
        tolerant(lambda: eks.call("delete_access_entry", **given), GONE)

    return Step(
        f"access {arn}", f"access entry: {arn} is an administrator", find, make, undo, settle
    )


def _find_role(context: Context, name: str) -> list[str]:
    iam = context.client("iam")
    found = tolerant(lambda: iam.call("get_role", RoleName=context.name(name)), GONE)
    return [str(found["Role"]["Arn"])] if found else []


def _make_role(context: Context, name: str, trust: dict[str, Any]) -> str:
    iam = context.client("iam")
    document = {"Version": "2012-10-17", "Statement": [trust]}
    made = tolerant(
        lambda: iam.call(
            "create_role",
            RoleName=context.name(name),
            AssumeRolePolicyDocument=json.dumps(document),
            Tags=tags(context.tags),
        ),
        EXISTS,
    )
    return str(made["Role"]["Arn"]) if made else _find_role(context, name)[0]


def _undo_role(context: Context, name: str) -> None:
    iam, role = context.client("iam"), {"RoleName": context.name(name)}
    attached = tolerant(
        lambda: iam.pages("list_attached_role_policies", "AttachedPolicies", **role), GONE
    )
    for one in attached or []:
        given = {**role, "PolicyArn": one["PolicyArn"]}
        tolerant(partial(iam.call, "detach_role_policy", **given), GONE)
    inline = tolerant(lambda: iam.call("list_role_policies", **role)["PolicyNames"], GONE)
    for policy in inline or []:
        given = {**role, "PolicyName": policy}
        tolerant(partial(iam.call, "delete_role_policy", **given), GONE)
    tolerant(lambda: iam.call("delete_role", **role), GONE)
