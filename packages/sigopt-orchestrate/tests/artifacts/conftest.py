"""A bucket with tiny parts."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("moto", reason="moto[server] is not installed")
sys.path.append(str(Path(__file__).parent))
from kept import PART, Kept
from pretend_aws import Aws

from sigopt_orchestrate.artifacts.bucket import Bucket
from sigopt_orchestrate.artifacts.courier import files, transfer
from sigopt_orchestrate.artifacts.keeper import Keeper
from sigopt_orchestrate.artifacts.keys import Keys
from sigopt_orchestrate.aws import session


@pytest.fixture(scope="session")
def tiny_bucket(aws_server: Aws) -> Iterator[Bucket]:
    """One for all: clients of boto3 take half a second to make. They do not try again here."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**aws_server.environment, "AWS_MAX_ATTEMPTS": "1"}.items():
            patch.setenv(name, value)
        session.client.cache_clear()
        session.client("s3").call("create_bucket", Bucket="kept")
        bucket = Bucket("kept")
        session.client.cache_clear()
    yield bucket
    bucket.call("delete_bucket")


@pytest.fixture
def kept(aws: Aws, tiny_bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kept]:
    monkeypatch.setattr("moto.s3.models.S3_UPLOAD_PART_MIN_SIZE", 1)
    monkeypatch.setattr(files, "PART", PART)
    monkeypatch.setattr(transfer, "_PAUSES_S", (0.001, 0.01))
    yield Kept(aws, tiny_bucket, Keeper(tiny_bucket, Keys("kept", "team/7-toy-0123")))
    aws.rule = None
    for upload in tiny_bucket.uploads(""):
        tiny_bucket.abort(upload)
    tiny_bucket.delete(tiny_bucket.keys(""))
