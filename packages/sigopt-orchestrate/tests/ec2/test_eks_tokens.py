"""Tokens for the API of an EKS cluster: how they are made, shown and renewed."""

import base64
import http.client
import json
import subprocess
import threading
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml
from pretend_aws import Aws

from sigopt_orchestrate.aws.session import client
from sigopt_orchestrate.eks.access import write_kubeconfig
from sigopt_orchestrate.executors.kubernetes.cluster import open_cluster
from sigopt_orchestrate.spec import Kubernetes

pytestmark = pytest.mark.timeout(900)  # however busy the machine is


def test_a_kubeconfig_asks_us_for_a_token_that_sts_takes_for_ours(aws: Aws, tmp_path: Path) -> None:
    network = {"subnetIds": [], "securityGroupIds": []}
    role = "arn:aws:iam::123456789012:role/eks"
    eks = client("eks")
    eks.call("create_cluster", name="tokens", roleArn=role, resourcesVpcConfig=network)
    try:
        write_kubeconfig(tmp_path / "kubeconfig", "tokens", None)
    finally:
        eks.call("delete_cluster", name="tokens")
    plugin = yaml.safe_load((tmp_path / "kubeconfig").read_text())["users"][0]["user"]["exec"]
    asked = subprocess.run([plugin["command"], *plugin["args"]], capture_output=True, check=True)
    kind, _, signed = json.loads(asked.stdout)["status"]["token"].partition(".")
    assert kind == "k8s-aws-v1"
    url = base64.urlsafe_b64decode(signed + "=" * (-len(signed) % 4)).decode()
    assert url.startswith(aws.url)
    query = parse_qs(urlsplit(url).query)
    assert query["X-Amz-SignedHeaders"] == ["host;x-k8s-aws-id"], "good for one cluster alone"
    at = urlsplit(url)
    with closing(http.client.HTTPConnection(at.netloc)) as sts:  # as the cluster does it
        told = {"x-k8s-aws-id": "tokens"}
        # moto looks for the service where only requests have it that are not presigned.
        told["Authorization"] = f"AWS4-HMAC-SHA256 Credential={query['X-Amz-Credential'][0]}, "
        sts.request("GET", f"{at.path}?{at.query}", headers=told)
        assert b"123456789012" in sts.getresponse().read()


def test_a_token_that_has_ended_is_asked_for_anew(tmp_path: Path) -> None:
    shown: list[str] = []

    class Api(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            shown.append(self.headers["Authorization"])
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Says nothing."""

    plugin = tmp_path / "plugin"
    plugin.write_text(
        f"#!/bin/sh\necho >> {tmp_path}/asked\n"
        'printf \'{"kind": "ExecCredential", "apiVersion": "client.authentication.k8s.io/v1beta1", '
        '"status": {"expirationTimestamp": "2020-01-01T00:00:00Z", "token": "t%s"}}\' '
        f"$(grep -c '' {tmp_path}/asked)\n"
    )
    plugin.chmod(0o755)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Api)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}).start()
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "a",
        "clusters": [
            {"name": "a", "cluster": {"server": f"http://127.0.0.1:{server.server_address[1]}"}}
        ],
        "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
        "users": [
            {
                "name": "a",
                "user": {
                    "exec": {
                        "apiVersion": "client.authentication.k8s.io/v1beta1",
                        "command": str(plugin),
                        "interactiveMode": "Never",
                    }
                },
            }
        ],
    }
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(config))
    try:
        cluster = open_cluster(Kubernetes(), tmp_path / "kubeconfig")
        for _ in range(2):
            cluster.call("GET", "/api")
    finally:
        server.shutdown()
        server.server_close()
    assert shown[0].startswith("Bearer t")
    assert shown[0] != shown[1]
