"""Answers couriers: what is still to be put, where it goes, and what there is to fetch."""

import base64
import hashlib
import time
from typing import Any, cast

from sigopt_orchestrate.artifacts.bucket import Address, Bucket
from sigopt_orchestrate.artifacts.courier.files import MOST_PARTS, is_safe
from sigopt_orchestrate.artifacts.keys import KINDS, Keys, Kind, Stored

Json = dict[str, Any]

_ADDRESSES = 16  # in an answer: an annotation of a pod holds them
_MOST_NAME = 500


class BadQuestionError(ValueError):
    """A question that no courier asks."""


class Keeper:
    """Keeps what the trials of one experiment leave; has no memory, so any leader may answer.

    Args:
        bucket: Where.
        keys: What things are called.
    """

    def __init__(self, bucket: Bucket, keys: Keys) -> None:
        self.keys = keys
        self._bucket = bucket

    def answer(self, trial: int, attempt: int, asked: Json) -> Json:
        """Returns the answer to a courier's question.

        `put` with `kind`, `set`, `name`, `size` and `parts` asks what is missing of a file: `puts`,
        each with `part`, `url` and `headers`; when there are none, the file is there whole.
        `keep` with `kind`, `set` and `files` says that the set is whole; what it replaces goes.
        `get` with `kind` asks for the `files` and the `set` that are whole, perhaps None.
        `url` with `kind`, `set` and `name` asks for a `url`.

        Args:
            trial: Of the attempt that the courier works for.
            attempt: Its number.
            asked: The question.

        Raises:
            AwsError: If S3 refuses or does not answer.
            BadQuestionError: If it is no such question.
        """
        place = _place(asked, trial, attempt)
        match asked.get("do"):
            case "put":
                return {"puts": self._put(place, asked)}
            case "keep":
                self._keep(place, asked)
                return {}
            case "get":
                found = self.manifest(*place)
                return {"files": None} if found is None else found
            case "url":
                return {"url": self.url(*place, _text(asked, "set"), _name(asked))}
        raise BadQuestionError("do")

    def manifest(self, kind: Kind, trial: int, attempt: int) -> Json | None:
        """Returns the `set` and the `files` of what is whole of a kind; None where nothing is.

        Raises:
            AwsError: If S3 refuses or does not answer.
        """
        return self._bucket.read(self.keys.manifest(kind, trial, attempt))

    def url(self, kind: Kind, trial: int, attempt: int, of: str, name: str) -> str:
        """Returns where a file can be got for an hour."""
        return self._bucket.get_address(self.keys.file(kind, trial, attempt, of, name))

    def found(self) -> list[tuple[Kind, int, int]]:
        """Returns kind, trial and attempt of all that is whole; attempt 0 for checkpoints.

        Raises:
            AwsError: If S3 refuses or does not answer.
        """
        begin = f"{self.keys.root}/trials/"
        found: list[tuple[Kind, int, int]] = []
        for key in self._bucket.keys(begin):
            steps = key.removeprefix(begin).removesuffix(".json").split("/")
            if key.endswith("/checkpoint.json") and len(steps) == 2:
                found.append(("checkpoint", int(steps[0]), 0))
            elif key.endswith(("/output.json", "/records.json")) and len(steps) == 3:
                found.append((cast("Kind", steps[2]), int(steps[0]), int(steps[1])))
        return sorted(found, key=lambda one: (one[1], one[2], one[0]))

    def drop_checkpoint(self, trial: int) -> None:
        """Removes a trial's checkpoints: it needs none any more.

        Raises:
            AwsError: If S3 refuses or does not answer.
        """
        folder = self.keys.folder("checkpoint", trial, 0)
        self._bucket.delete([self.keys.manifest("checkpoint", trial, 0)])
        self._bucket.delete(self._bucket.keys(f"{folder}/"))
        self.give_up(f"{folder}/")

    def give_up(self, prefix: str) -> None:
        """Aborts what is half put below a prefix: S3 charges for its parts until then.

        Raises:
            AwsError: If S3 refuses or does not answer.
        """
        for upload in self._bucket.uploads(prefix):
            self._bucket.abort(upload)

    def _put(self, place: tuple[Kind, int, int], asked: Json) -> list[Json]:
        size, parts = _whole(asked.get("size")), _checksums(asked)
        key = self.keys.file(*place, _text(asked, "set"), _name(asked))
        if self._bucket.checksum(key) == (size, _together(parts)):
            return []
        if len(parts) == 1:
            return [_said(1, self._bucket.put_address(key, parts[0]))]
        begun = [one for one in self._bucket.uploads(key) if one.key == key]
        upload, *others = begun or [self._bucket.begin(key)]
        here = self._bucket.parts(upload)
        missing = [
            number
            for number, sha256 in enumerate(parts, start=1)
            if number not in here or here[number][1] != sha256
        ]
        if not missing:
            etags = [here[number][0] for number in range(1, len(parts) + 1)]
            self._bucket.complete(upload, list(zip(etags, parts, strict=True)))
            for other in others:  # of a courier whose first answer was lost
                self._bucket.abort(other)
            return []
        return [
            _said(number, self._bucket.part_address(upload, number, parts[number - 1]))
            for number in missing[:_ADDRESSES]
        ]

    def _keep(self, place: tuple[Kind, int, int], asked: Json) -> None:
        of = _text(asked, "set")
        files = [
            {"name": _name(one), "size": _whole(one.get("size")), "sha256": _text(one, "sha256")}
            for one in asked.get("files", ())
        ]
        kept = {"set": of, "files": files, "at": time.time()}
        self._bucket.write(self.keys.manifest(*place), kept)
        if place[0] == "checkpoint":
            folder = f"{self.keys.folder(*place)}/"
            old = [k for k in self._bucket.keys(folder) if not k.startswith(f"{folder}{of}/")]
            self._bucket.delete(old)


def open_keeper(experiment: Stored) -> Keeper:
    """Returns the keeper of an experiment whose file has `artifacts`.

    Raises:
        CloudError: If its bucket cannot be used.
        MissingDependencyError: If boto3 is not installed.
    """
    keys = Keys.of(experiment)
    return Keeper(Bucket(keys.bucket), keys)


def _place(asked: Json, trial: int, attempt: int) -> tuple[Kind, int, int]:
    if asked.get("kind") not in KINDS:
        raise BadQuestionError("kind")
    return cast("Kind", asked["kind"]), trial, attempt


def _name(asked: Json) -> str:
    name = _text(asked, "name")
    if not is_safe(name) or len(name.encode()) > _MOST_NAME:
        raise BadQuestionError("name")
    return name


def _text(asked: Json, key: str) -> str:
    value = asked.get(key)
    if not isinstance(value, str) or not value or (key == "set" and not value.isalnum()):
        raise BadQuestionError(key)
    return value


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise BadQuestionError("size")
    return value


def _checksums(asked: Json) -> list[str]:
    parts = asked.get("parts")
    if not isinstance(parts, list) or not 0 < len(parts) <= MOST_PARTS:
        raise BadQuestionError("parts")
    return [_digest(one) for one in parts]


def _digest(value: object) -> str:
    try:
        good = isinstance(value, str) and len(base64.b64decode(value, validate=True)) == 32
    except ValueError:
        good = False
    if not good:
        raise BadQuestionError("parts")
    return str(value)


def _together(parts: list[str]) -> str:
    """The checksum that S3 gives an object in these parts."""
    if len(parts) == 1:
        return parts[0]
    digest = hashlib.sha256(b"".join(base64.b64decode(part) for part in parts)).digest()
    return base64.b64encode(digest).decode()


def _said(part: int, address: Address) -> Json:
    return {"part": part, "url": address.url, "headers": address.headers}
