"""moto's server in this process, and a thin proxy before it that can refuse, lose and count calls.

What is learnt from it is what moto emulates and no more: see docs/ec2.md. The proxy adds what S3
says of SHA-256 and moto leaves out: bytes that are not those of the signed checksum are refused,
and the list of an upload's parts names theirs.
"""

import base64
import hashlib
import http.client
import json
import logging
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.ec2.models import ec2_backends
from moto.iam.models import AWSManagedPolicy, iam_backends
from moto.server import ThreadedMotoServer

REGION = "us-east-1"
AMI = "ami-0d27e0fb3bac4d724"


@dataclass
class Call:
    """One request to AWS.

    Attributes:
        service: Such as `ec2`.
        action: `CreateFleet`; of services with REST addresses `POST /clusters`.
        given: The arguments of the query protocol by their wire names.
        body: As it was sent; a rule may replace it.
    """

    service: str
    action: str
    given: dict[str, str]
    body: bytes


@dataclass
class Answer:
    """What a rule answers in AWS's place.

    Attributes:
        lost: Whether AWS does it all the same and only its answer is lost.
    """

    status: int = 503
    code: str = "ServiceUnavailable"
    lost: bool = False
    body: bytes | None = None


Rule = Callable[[Call], Answer | None]


@dataclass
class Aws:
    """The address to give to clients, and what has been called.

    Attributes:
        url: Of the proxy.
        moto_url: Of moto itself, past the proxy.
        calls: In order.
        handler: Answers at `url`, and wherever else it is to be reached.
        rule: Asked before each call; None lets all pass.
        checksums: The SHA-256 of parts by upload and number.
    """

    url: str
    moto_url: str
    calls: list[Call] = field(default_factory=list)
    handler: type[BaseHTTPRequestHandler] = BaseHTTPRequestHandler
    rule: Rule | None = None
    checksums: dict[tuple[str, str], str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """What leads boto3 here."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_MAX_ATTEMPTS": "2",
        }

    @property
    def ec2(self) -> Any:
        """EC2 as moto has it in memory."""
        return ec2_backends[DEFAULT_ACCOUNT_ID][REGION]

    def instances(self, *states: str) -> list[Any]:
        """All instances in these states."""
        found = [i for r in self.ec2.all_reservations() for i in r.instances]
        return [i for i in found if not states or i.state in states]


@contextmanager
def pretend_aws() -> Iterator[Aws]:
    """Runs both, on free ports of loopback."""
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    aws = Aws("", f"http://{host}:{port}")
    aws.handler = type("Handler", (_Proxy,), {"moto": (host, port), "aws": aws})
    _know_managed_policies()
    try:
        with reachable_at(aws, "127.0.0.1") as aws.url:
            yield aws
    finally:
        moto.stop()


@contextmanager
def reachable_at(aws: Aws, address: str) -> Iterator[str]:
    """Serves the proxy at another of this machine's addresses, too, and gives its URL."""
    proxy = ThreadingHTTPServer((address, 0), aws.handler)
    proxy.daemon_threads = True
    thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://{address}:{proxy.server_address[1]}"
    finally:
        proxy.shutdown()
        proxy.server_close()
        thread.join()


def _know_managed_policies() -> None:
    """Has moto know the few of AWS's policies that are used; all of them take it a minute."""
    iam = iam_backends[DEFAULT_ACCOUNT_ID]["global"]
    for name in (
        "AmazonEKSClusterPolicy",
        "AmazonEKSWorkerNodePolicy",
        "AmazonEKS_CNI_Policy",
        "AmazonEC2ContainerRegistryReadOnly",
    ):
        day = "2018-05-27T00:00:00+00:00"
        data = {"Path": "/", "Document": {}, "DefaultVersionId": "v1"}
        data |= {"CreateDate": day, "UpdateDate": day}
        policy = AWSManagedPolicy.from_data(name, DEFAULT_ACCOUNT_ID, REGION, data)
        iam.managed_policies[policy.arn] = policy


def without_capacity(lacks: Callable[[str, str, str], bool]) -> Rule:
    """Returns a rule by which a fleet comes to nothing as long as one of its pools lacks capacity.

    EC2 itself would try the other pools of the request; this is the harder case.

    Args:
        lacks: Of an instance type, a subnet and a market (`spot` or `on-demand`).
    """

    def rule(call: Call) -> Answer | None:
        if call.action != "CreateFleet":
            return None
        market = call.given["TargetCapacitySpecification.DefaultTargetCapacityType"]
        pools = [
            (value, call.given[key.replace("InstanceType", "SubnetId")])
            for key, value in call.given.items()
            if key.endswith(".InstanceType")
        ]
        dry = [(t, s) for t, s in pools if lacks(t, s, market)]
        return Answer(200, body=_no_capacity(dry, market)) if dry else None

    return rule


def _no_capacity(pools: list[tuple[str, str]], market: str) -> bytes:
    items = "".join(
        f"<item><launchTemplateAndOverrides><overrides><instanceType>{type_}</instanceType>"
        f"<subnetId>{subnet}</subnetId></overrides></launchTemplateAndOverrides>"
        f"<lifecycle>{market}</lifecycle><errorCode>InsufficientInstanceCapacity</errorCode>"
        "<errorMessage>as the test wants it</errorMessage></item>"
        for type_, subnet in pools
    )
    return (
        '<CreateFleetResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>0'
        f"</requestId><fleetId>fleet-0</fleetId><errorSet>{items}</errorSet>"
        "<fleetInstanceSet/></CreateFleetResponse>"
    ).encode()


class _Proxy(BaseHTTPRequestHandler):
    moto: tuple[str, int]
    aws: Aws
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def handle_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        call = self._describe(body)
        if not self.path.startswith("/moto-api"):
            self.aws.calls.append(call)
        answer = self.aws.rule(call) if self.aws.rule is not None else None
        if call.service == "pricing":  # moto has no price list
            answer = Answer(400, "AccessDeniedException")
        damaged = call.service == "s3" and self._is_damaged(call.body)
        if damaged and answer is None:
            answer = Answer(400, "BadDigest")
        if answer is None or (answer.lost and not damaged):
            status, headers, content = self._forward(call.body)
            if call.service == "s3":
                content = self._with_checksums(status, content)
        if answer is not None:
            status, headers, content = self._refuse(call, answer)
        self.send_response(status)
        for name, value in headers:
            if name.lower() not in {"transfer-encoding", "connection", "content-length"}:
                self.send_header(name, value)
        told = dict(headers).get("Content-Length") if self.command == "HEAD" else None
        self.send_header("Content-Length", told or str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = handle_any  # noqa: N815

    def _describe(self, body: bytes) -> Call:
        scope = re.search(
            r"Credential=[^/]+/\d+/[^/]+/([a-z0-9-]+)/", self.headers.get("Authorization", "")
        )
        service = scope[1] if scope else "s3" if "X-Amz-Signature=" in self.path else "?"
        given = {}
        if self.headers.get("Content-Type", "").startswith("application/x-www-form-urlencoded"):
            given = dict(parse_qsl(body.decode(), keep_blank_values=True))
        target = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
        action = given.get("Action") or target or f"{self.command} {self.path.partition('?')[0]}"
        return Call(service, action, given, body)

    def _is_damaged(self, body: bytes) -> bool:
        told = self.headers.get("x-amz-checksum-sha256")
        return told is not None and told != base64.b64encode(hashlib.sha256(body).digest()).decode()

    def _with_checksums(self, status: int, content: bytes) -> bytes:
        """Remembers a part's checksum, and names those of parts that are listed."""
        query = dict(parse_qsl(urlsplit(self.path).query))
        upload, part = query.get("uploadId", ""), query.get("partNumber", "")
        told = self.headers.get("x-amz-checksum-sha256")
        if status == 200 and part and told:
            self.aws.checksums[upload, part] = told

        def named(found: re.Match[str]) -> str:
            known = self.aws.checksums.get((upload, found[1]))
            return found[0] + (f"<ChecksumSHA256>{known}</ChecksumSHA256>" if known else "")

        if self.command == "GET" and upload:
            text = content.decode()
            return re.sub(r"<PartNumber>(\d+)</PartNumber>", named, text).encode()
        return content

    def _forward(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        connection = http.client.HTTPConnection(*self.moto, timeout=60)
        headers = {
            k: v
            for k, v in self.headers.items()
            if k.lower() not in {"content-length", "connection"}
        }
        connection.request(
            self.command, self.path, body, {**headers, "Content-Length": str(len(body))}
        )
        response = connection.getresponse()
        content = response.read()
        connection.close()
        return response.status, response.getheaders(), content

    def _refuse(self, call: Call, answer: Answer) -> tuple[int, list[tuple[str, str]], bytes]:
        if answer.body is not None:
            return answer.status, [("Content-Type", "text/xml")], answer.body
        if call.given or call.service == "s3":  # XML protocols
            inner = f"<Code>{answer.code}</Code><Message>as the test wants it</Message>"
            text = f"<Error>{inner}</Error>"
            if call.service == "ec2":
                text = f"<Response><Errors>{text}</Errors><RequestID>0</RequestID></Response>"
            elif call.service != "s3":
                text = f"<ErrorResponse>{text}<RequestId>0</RequestId></ErrorResponse>"
            return answer.status, [("Content-Type", "text/xml")], text.encode()
        text = json.dumps({"__type": answer.code, "message": "as the test wants it"})
        return (
            answer.status,
            [("Content-Type", "application/json"), ("x-amzn-ErrorType", answer.code)],
            text.encode(),
        )

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Says nothing."""
