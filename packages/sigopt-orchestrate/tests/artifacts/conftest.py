"""A bucket with tiny parts."""

import sys
from collections.abc import Callable, Iterator
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


@pytest.fixture
def kept(
    aws: Aws, make_bucket: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Kept]:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")  # boto's own pauses are long
    session.client.cache_clear()
    monkeypatch.setattr("moto.s3.models.S3_UPLOAD_PART_MIN_SIZE", 1)
    monkeypatch.setattr(files, "PART", PART)
    monkeypatch.setattr(transfer, "_PAUSES_S", (0.001, 0.01))
    bucket = Bucket(make_bucket("kept"))
    yield Kept(aws, bucket, Keeper(bucket, Keys("kept", "team/7-toy-0123")))
    session.client.cache_clear()
