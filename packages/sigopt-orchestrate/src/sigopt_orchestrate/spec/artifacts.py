"""Where what trials write is kept, beside the machine that ran them."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from sigopt_orchestrate.spec.duration import Duration
from sigopt_orchestrate.spec.section import Section, refusal

_URI = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])((?:/[A-Za-z0-9!_.*'()-]+)*)/?")
_MOST_PREFIX = 300


def split_uri(uri: str) -> tuple[str, str]:
    """Returns the bucket and the prefix that an `s3://` address names, the latter perhaps empty.

    Raises:
        PydanticCustomError: If it is none.

    Example:
        >>> split_uri("s3://team/models/")
        ('team', 'models')
    """
    match = _URI.fullmatch(uri)
    steps = match[2].split("/") if match is not None else []
    if match is None or ".." in match[1] or {".", ".."} & set(steps) or len(uri) > _MOST_PREFIX:
        raise refusal(f"must be s3://BUCKET or s3://BUCKET/PREFIX, not {uri!r}")
    return match[1], match[2].strip("/")


def _normal(uri: str) -> str:
    bucket, prefix = split_uri(uri)
    return f"s3://{bucket}/{prefix}".rstrip("/")


class Artifacts(Section):
    """A bucket of Amazon S3 that keeps trials' outputs, checkpoints and logs.

    Attributes:
        uri: `s3://BUCKET/PREFIX`; every experiment has a folder of its own below it.
        checkpoint_every_s: How often `$ORCHESTRATE_CHECKPOINT` is looked at while a trial runs; it
            is kept anew if it has changed and nobody is writing to it.
    """

    uri: Annotated[str, AfterValidator(_normal)]
    checkpoint_every_s: Annotated[Duration, Field(ge=1)] = Field(
        default=60.0, alias="checkpoint_every"
    )
