"""Whether the bucket can be used, found before anything starts."""

import secrets
from collections.abc import Iterator

from sigopt_orchestrate.artifacts.bucket import Bucket
from sigopt_orchestrate.aws.session import NO_RIGHTS, AwsError
from sigopt_orchestrate.errors import CloudError
from sigopt_orchestrate.spec.artifacts import Artifacts, split_uri


def check_bucket(wanted: Artifacts) -> Iterator[tuple[bool, str]]:
    """Yields whether something is good and what is to be said of it.

    It puts an object in parts, as couriers do, reads and removes it again; nothing is left.
    """
    name, prefix = split_uri(wanted.uri)
    try:
        bucket = Bucket(name)
    except CloudError as error:
        yield False, str(error)
        return
    probe = "/".join(filter(None, (prefix, f".orchestrate-probe-{secrets.token_hex(8)}")))
    doing = "put objects"
    try:
        upload = bucket.begin(probe)
        try:
            doing = "list uploads"
            bucket.uploads(probe)
            bucket.parts(upload)
        finally:
            bucket.abort(upload)
        doing = "put objects"
        bucket.write(probe, {})
        doing = "read objects"
        bucket.read(probe)
        doing = "remove objects"
        bucket.delete([probe])
        doing = "list objects"
        bucket.keys(probe)
    except AwsError as error:
        refused = error.code in NO_RIGHTS or error.code == "403"
        may = f"you may not {doing}" if refused else f"cannot {doing}"
        hint = "; `orchestrate policy FILE` prints what is needed" if refused else ""
        yield False, f"artifacts.uri: {wanted.uri}: {may}: {error}{hint}"
        return
    yield True, f"{wanted.uri}, {bucket.region}: a probe was put, read and removed"
