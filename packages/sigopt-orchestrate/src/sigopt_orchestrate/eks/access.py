"""Coming into an EKS cluster: a kubeconfig, and tokens from AWS's own credentials."""

import base64
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from sigopt_orchestrate.aws.session import client

_TOKEN_S = 60
_VALID = timedelta(minutes=14)  # EKS takes a token for fifteen


def token(cluster: str, region: str | None) -> dict[str, Any]:
    """Returns an ExecCredential: a presigned question to STS that the cluster asks in our place.

    Args:
        cluster: The EKS cluster's name, which the token is good for alone.
        region: The cluster's.
    """
    raw = client("sts", region).raw

    def name_cluster(request: Any, **_: Any) -> None:
        request.headers["x-k8s-aws-id"] = cluster

    raw.meta.events.register("before-sign.sts.GetCallerIdentity", name_cluster)
    try:
        url = raw.generate_presigned_url(
            "get_caller_identity", ExpiresIn=_TOKEN_S, HttpMethod="GET"
        )
    finally:
        raw.meta.events.unregister("before-sign.sts.GetCallerIdentity", name_cluster)
    signed = base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")
    ends = datetime.now(UTC) + _VALID
    return {
        "kind": "ExecCredential",
        "apiVersion": "client.authentication.k8s.io/v1beta1",
        "status": {
            "expirationTimestamp": f"{ends:%Y-%m-%dT%H:%M:%SZ}",
            "token": f"k8s-aws-v1.{signed}",
        },
    }


def write_kubeconfig(path: Path, name: str, region: str | None) -> None:
    """Writes a kubeconfig that asks this very program for tokens; no secret is in it.

    Raises:
        AwsError: If the cluster cannot be described.
    """
    eks = client("eks", region)
    found = eks.call("describe_cluster", name=name)["cluster"]
    words = ["-m", "sigopt_orchestrate", "cluster", "eks-token", name]
    words += ["--region", str(eks.raw.meta.region_name)]
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "clusters": [
            {
                "name": name,
                "cluster": {
                    "server": found["endpoint"],
                    "certificate-authority-data": found["certificateAuthority"]["data"],
                },
            }
        ],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "users": [
            {
                "name": name,
                "user": {
                    "exec": {
                        "apiVersion": "client.authentication.k8s.io/v1beta1",
                        "command": sys.executable,
                        "args": words,
                        "interactiveMode": "Never",
                    }
                },
            }
        ],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    part.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    part.chmod(0o600)
    part.replace(path)
