"""One bucket of S3: what is there, what is under way, and addresses for couriers."""

import json
from dataclasses import dataclass
from typing import Any

from sigopt_orchestrate.aws.session import AwsError, Client, client
from sigopt_orchestrate.errors import CloudError

_EXPIRES_S = 3600
_ABSENT = {"404", "NoSuchKey", "NotFound", "NoSuchUpload"}
_DELETE_AT_ONCE = 1000
Json = dict[str, Any]


@dataclass(frozen=True)
class Address:
    """A request that whoever has it may make, for an hour.

    Attributes:
        url: As good as a key for this one object: it belongs into no log.
        headers: Signed with it: S3 refuses other bytes than those of the checksum.
    """

    url: str
    headers: dict[str, str]


@dataclass(frozen=True)
class Upload:
    """A file that is being put in parts, or was, when its courier was interrupted."""

    key: str
    id: str


class Bucket:
    """Says what S3 says.

    Attributes:
        name: The bucket's.
        region: Where it is.
    """

    def __init__(self, name: str) -> None:
        """Finds the bucket.

        Raises:
            CloudError: If it is not there, or not ours to use.
            MissingDependencyError: If boto3 is not installed.
        """
        self.name = name
        self.region = _region(name)
        self._s3: Client = client("s3", self.region)

    def call(self, operation: str, **given: Any) -> Json:
        """Makes a request about this bucket; raises as `Client.call` does."""
        return self._s3.call(operation, Bucket=self.name, **given)

    def put_address(self, key: str, sha256: str) -> Address:
        """Returns where to put a whole object with this SHA-256 (base64)."""
        # Real S3 needs the checksum alone; moto looks which one is meant.
        given = {"Key": key, "ChecksumSHA256": sha256, "ChecksumAlgorithm": "SHA256"}
        headers = {"x-amz-checksum-sha256": sha256, "x-amz-sdk-checksum-algorithm": "SHA256"}
        return Address(self._signed("put_object", given), headers)

    def part_address(self, upload: Upload, part: int, sha256: str) -> Address:
        """Returns where to put one part, from 1, with this SHA-256 (base64)."""
        given = {"Key": upload.key, "UploadId": upload.id, "PartNumber": part}
        url = self._signed("upload_part", {**given, "ChecksumSHA256": sha256})
        return Address(url, {"x-amz-checksum-sha256": sha256})

    def get_address(self, key: str) -> str:
        """Returns where to get an object."""
        return self._signed("get_object", {"Key": key})

    def checksum(self, key: str) -> tuple[int, str | None] | None:
        """Returns an object's size and SHA-256 (base64), None where there is no object.

        Of an object in parts it is that of its parts' checksums.
        """
        try:
            found = self.call("head_object", Key=key, ChecksumMode="ENABLED")
        except AwsError as error:
            if error.code in _ABSENT:
                return None
            raise
        told = found.get("ChecksumSHA256")  # VALUE, or VALUE-N of an object in N parts
        return int(found["ContentLength"]), told and str(told).partition("-")[0]

    def begin(self, key: str) -> Upload:
        """Begins an upload in parts."""
        made = self.call("create_multipart_upload", Key=key, ChecksumAlgorithm="SHA256")
        return Upload(key, made["UploadId"])

    def uploads(self, prefix: str) -> list[Upload]:
        """Returns the uploads that are under way, or were left, the oldest first."""
        given = {"Bucket": self.name, "Prefix": prefix}
        found = self._s3.pages("list_multipart_uploads", "Uploads", **given)
        found.sort(key=lambda one: (str(one["Initiated"]), one["UploadId"]))
        return [Upload(one["Key"], one["UploadId"]) for one in found]

    def parts(self, upload: Upload) -> dict[int, tuple[str, str | None]]:
        """Returns ETag and SHA-256 of the parts that are there, by number."""
        given = {"Bucket": self.name, "Key": upload.key, "UploadId": upload.id}
        found = self._s3.pages("list_parts", "Parts", **given)
        return {one["PartNumber"]: (one["ETag"], one.get("ChecksumSHA256")) for one in found}

    def complete(self, upload: Upload, parts: list[tuple[str, str]]) -> None:
        """Makes an object of an upload, of these ETags and SHA-256."""
        named = [
            {"PartNumber": number, "ETag": etag, "ChecksumSHA256": sha256}
            for number, (etag, sha256) in enumerate(parts, start=1)
        ]
        given = {"Key": upload.key, "UploadId": upload.id, "MultipartUpload": {"Parts": named}}
        self.call("complete_multipart_upload", **given)

    def abort(self, upload: Upload) -> None:
        """Gives an upload up, with all its parts."""
        try:
            self.call("abort_multipart_upload", Key=upload.key, UploadId=upload.id)
        except AwsError as error:
            if error.code not in _ABSENT:
                raise

    def read(self, key: str) -> Json | None:
        """Returns a JSON object; None where there is none."""
        try:
            found = self.call("get_object", Key=key)
        except AwsError as error:
            if error.code in _ABSENT:
                return None
            raise
        with found["Body"] as body:
            return dict(json.loads(body.read()))

    def write(self, key: str, content: Json) -> None:
        """Puts a JSON object: whole or not at all."""
        self.call("put_object", Key=key, Body=json.dumps(content).encode())

    def keys(self, prefix: str) -> list[str]:
        """Returns all keys that begin so."""
        given = {"Bucket": self.name, "Prefix": prefix}
        found = self._s3.pages("list_objects_v2", "Contents", **given)
        return [one["Key"] for one in found]

    def delete(self, keys: list[str]) -> None:
        """Removes objects, whether or not they are there."""
        for start in range(0, len(keys), _DELETE_AT_ONCE):
            named = [{"Key": key} for key in keys[start : start + _DELETE_AT_ONCE]]
            self.call("delete_objects", Delete={"Objects": named, "Quiet": True})

    def _signed(self, operation: str, given: Json) -> str:
        def sign() -> str:
            return str(
                self._s3.raw.generate_presigned_url(
                    operation, Params={"Bucket": self.name, **given}, ExpiresIn=_EXPIRES_S
                )
            )

        return str(self._s3.guarded(operation, sign))


def _region(name: str) -> str:
    """Asks where the bucket is: an address that is signed for another region is refused."""
    anywhere = client("s3")
    try:
        found = anywhere.call("head_bucket", Bucket=name)
    except AwsError as error:
        if error.code in _ABSENT:
            raise CloudError(f"artifacts.uri: there is no bucket {name!r}") from None
        if error.code in {"403", "AccessDenied"}:
            raise CloudError(
                f"artifacts.uri: bucket {name!r} is not yours to list, or is somebody else's; "
                "`orchestrate policy FILE` prints what is needed"
            ) from None
        raise CloudError(f"artifacts.uri: bucket {name!r} cannot be reached: {error}") from None
    headers = found.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    known = found.get("BucketRegion") or headers.get("x-amz-bucket-region")
    return str(known or anywhere.raw.meta.region_name)
