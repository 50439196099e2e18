"""Clients of AWS, with credentials by the standard chain, and its errors in one shape."""

from collections.abc import Callable
from functools import cache
from typing import Any

from sigopt_orchestrate.errors import CloudError, MissingDependencyError

_THROTTLED = {
    "RequestLimitExceeded",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
    "RequestThrottled",
    "SlowDown",
    "EC2ThrottledException",
}
_PASSING = _THROTTLED | {
    "InternalError",
    "InternalFailure",
    "InternalServerError",
    "ServerException",
    "ServiceUnavailable",
    "ServiceUnavailableException",
    "Unavailable",
    "RequestTimeout",
    "RequestTimeoutException",
    "ExpiredToken",
    "ExpiredTokenException",
}
NO_RIGHTS = {"UnauthorizedOperation", "AccessDenied", "AccessDeniedException", "AuthFailure"}


class AwsError(CloudError):
    """What AWS said no to.

    Attributes:
        code: AWS's name for it, such as `UnauthorizedOperation`; empty where nobody answered.
        may_pass: Whether the same request may be granted later.
    """

    def __init__(self, call: str, code: str, message: str, *, may_pass: bool) -> None:
        """Says what `call`, such as `ec2:CreateFleet`, came to."""
        super().__init__(f"{call}: {code}: {message}" if code else f"{call}: {message}")
        self.code = code
        self.may_pass = may_pass


class Client:
    """One service in one region; every call is a method by its API name in snake case."""

    def __init__(self, service: str, raw: Any) -> None:
        self.service = service
        self.raw = raw
        """The boto3 client, for waiters and presigned addresses."""

    def call(self, operation: str, **given: Any) -> dict[str, Any]:
        """Makes a request, such as `call("describe_instances", Filters=...)`.

        Raises:
            AwsError: If AWS refuses or does not answer.
        """
        return self.guarded(operation, lambda: getattr(self.raw, operation)(**given))

    def pages(self, operation: str, key: str, **given: Any) -> list[dict[str, Any]]:
        """Returns the items under `key` of all pages of a list.

        Raises:
            AwsError: If AWS refuses or does not answer.
        """

        def read() -> list[dict[str, Any]]:
            pages = self.raw.get_paginator(operation).paginate(**given)
            return [item for page in pages for item in page.get(key, [])]

        return self.guarded(operation, read)

    def guarded(self, operation: str, work: Callable[[], Any]) -> Any:
        """Returns what `work` returns: every request goes through here.

        Raises:
            AwsError: In place of boto's own errors.
        """
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415
        from botocore.parsers import ResponseParserError  # noqa: PLC0415

        named = f"{self.service}:{''.join(part.title() for part in operation.split('_'))}"
        try:
            return work()
        except ClientError as error:
            said, status = error.response["Error"], _status(error.response)
            code = str(said.get("Code", ""))
            may_pass = code in _PASSING or status >= 500
            message = str(said.get("Message", error))
            raise AwsError(named, code, message, may_pass=may_pass) from None
        except ResponseParserError:
            said = "the answer is none of AWS's; is a proxy between?"
            raise AwsError(named, "", said, may_pass=True) from None
        except BotoCoreError as error:
            network = "Connect" in type(error).__name__ or "Timeout" in type(error).__name__
            raise AwsError(named, "", str(error), may_pass=network) from None


def _status(response: dict[str, Any]) -> int:
    return int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


@cache
def client(service: str, region: str | None = None) -> Client:
    """Returns a client; `$AWS_ENDPOINT_URL` leads it elsewhere.

    Args:
        service: Such as `ec2`.
        region: By default the AWS configuration's.

    Raises:
        MissingDependencyError: If boto3 is not installed.
        CloudError: If no region is known, or the AWS configuration is broken.
    """
    try:
        import boto3  # noqa: PLC0415 - an extra, and a third of a second
        from botocore.config import Config  # noqa: PLC0415
        from botocore.exceptions import BotoCoreError  # noqa: PLC0415
    except ImportError:
        raise MissingDependencyError("AWS", "boto3", "aws") from None
    config = Config(
        retries={"mode": "standard"},  # how often, $AWS_MAX_ATTEMPTS says; we go on after that
        connect_timeout=10,
        read_timeout=60,
        signature_version="s3v4" if service == "s3" else None,
    )
    try:
        session = boto3.session.Session()
        raw = session.client(service, region_name=region, config=config)
        if service == "s3" and ".amazonaws.com" in raw.meta.endpoint_url:
            # Else presigned addresses lead to us-east-1, whatever the bucket's region is.
            virtual = config.merge(Config(s3={"addressing_style": "virtual"}))
            raw = session.client(service, region_name=region, config=virtual)
    except (BotoCoreError, ValueError) as error:
        raise CloudError(f"AWS cannot be used: {error}") from None
    return Client(service, raw)


def tags(given: dict[str, str]) -> list[dict[str, str]]:
    """Returns tags as most of AWS's services want them."""
    return [{"Key": key, "Value": value} for key, value in given.items()]


def tags_of(described: dict[str, Any]) -> dict[str, str]:
    """Returns the tags of what AWS has described."""
    return {tag["Key"]: tag["Value"] for tag in described.get("Tags") or []}
