"""Puts files into S3 and fetches them: in parts, as often as it takes, and nothing unchecked."""

from __future__ import annotations

import hashlib
import http.client
import os
import shutil
import threading
import time
import urllib.error
import urllib.request
from typing import Any, Callable, TypeVar  # noqa: UP035 - the image may have Python 3.8

from sigopt_orchestrate.artifacts.courier.files import (
    ChangedError,
    GaveUpError,
    Json,
    RefusedError,
    Sources,
    describe,
    is_safe,
    label,
    look,
)

_BLOCK = 1 << 20
_TIMEOUT_S = 60.0
_PAUSES_S = (0.25, 15.0)
_TRIES = 3
_DAMAGED = ("BadDigest", "XAmzContentSHA256Mismatch", "InvalidDigest")

Ask = Callable[[Json], Json]
"""Asks orchestrate, see `artifacts.keeper.Keeper.answer`; a question may be asked any number of
times. Raises OSError where it cannot be answered now, RefusedError where it never will be."""
_T = TypeVar("_T")


class CancelledError(Exception):
    """Nobody wants it any more."""


class Courier:
    """Carries files of one attempt; all that it must know to go on, S3 knows.

    Args:
        ask: See `Ask`.
        patience_s: Gives up when nothing has worked for so long.
        cancelled: Makes it raise CancelledError as soon as it can.
    """

    def __init__(
        self, ask: Ask, *, patience_s: float = 600.0, cancelled: threading.Event | None = None
    ) -> None:
        self._ask = ask
        self._patience_s = patience_s
        self._cancelled = cancelled or threading.Event()
        self._worked = time.monotonic()

    def send(self, kind: str, found: Sources) -> None:
        """Puts a set of files into the bucket, and then says that it is whole.

        Args:
            kind: `output`, `checkpoint` or `records`.
            found: The files.

        Raises:
            ChangedError: If somebody writes to them.
            RefusedError: If it cannot be done, or nothing has worked for too long.
            CancelledError: If nobody wants it any more.
        """
        before = look(found)
        files = []
        for name in sorted(found):
            files.append(describe(name, found[name]))
            self._check_wanted()
        if look(found) != before:
            raise ChangedError("a file was written to while it was read")
        of = label(files)
        for file in files:
            self._put(kind, of, file, found[file["name"]])
        told = [{key: one[key] for key in ("name", "size", "sha256")} for one in files]
        question = {"do": "keep", "kind": kind, "set": of, "files": told}
        self._patiently(lambda: self._ask(question))

    def send_settled(self, kind: str, find: Callable[[], Sources]) -> str | None:
        """Puts a set that somebody may still be writing to, and says what is wrong if that fails.

        Args:
            kind: As of `send`.
            find: Finds the files, anew for each try.

        Returns:
            The problem; None where the set is whole in the bucket.

        Raises:
            CancelledError: If nobody wants it any more.
        """
        problem = None
        for _ in range(_TRIES):
            try:
                self.send(kind, find())
            except ChangedError as error:
                problem = str(error)
            except RefusedError as error:
                return str(error)
            else:
                return None
        return problem

    def fetch(self, kind: str, folder: str) -> bool:
        """Fetches a whole set of files, or nothing; what an earlier try has brought stays.

        Args:
            kind: As of `send`.
            folder: What it becomes; whatever is there is replaced.

        Returns:
            Whether there is one.

        Raises:
            RefusedError: If what comes is not what was put there.
            GaveUpError: If nothing has worked for too long.
            CancelledError: If nobody wants it any more.
        """
        told = self._patiently(lambda: self._ask({"do": "get", "kind": kind}))
        if told["files"] is None:
            return False
        part = folder + ".part"
        for file in told["files"]:
            if not is_safe(file["name"]):
                raise RefusedError(f"{file['name']!r}: is no name of a file below the folder")
            question = {"do": "url", "kind": kind, "set": told["set"], "name": file["name"]}
            self.bring(question, file, os.path.join(part, file["name"]))  # noqa: PTH118
        os.makedirs(part, exist_ok=True)  # noqa: PTH103
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(part, folder)  # noqa: PTH105
        return True

    def bring(self, question: Json, file: Json, path: str) -> None:
        """Fetches one file: to `PATH.part`, then whole and checked to `path`.

        Args:
            question: What to ask for its address.
            file: Its `name`, `size` and `sha256`.
            path: Where it goes; if it is there as it should be, nothing is fetched.

        Raises:
            RefusedError: If its bytes are not those that were put there.
        """
        if _is(path, file):
            return
        os.makedirs(os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120
        part = path + ".part"
        for _ in range(_TRIES):
            self._patiently(lambda: self._get(self._ask(question)["url"], file, part))
            if _is(part, file):
                os.replace(part, path)  # noqa: PTH105
                return
            os.remove(part)  # noqa: PTH107 - what is damaged is of no use to the next try
        raise RefusedError(
            f"{file['name']}: what came from S3 is not what was put there: its SHA-256 differs"
        )

    def _put(self, kind: str, of: str, file: Json, path: str) -> None:
        question = {"do": "put", "kind": kind, "set": of, **file}
        left = _TRIES * len(file["parts"])

        def go_on() -> bool:
            nonlocal left
            missing = self._ask(question)["puts"]
            for put in missing:
                if left == 0:
                    raise RefusedError(f"{file['name']}: S3 took it and does not show it")
                start = (put["part"] - 1) * file["part_size"]
                size = min(file["part_size"], file["size"] - start)
                with open(path, "rb") as content:  # noqa: PTH123
                    self._send_part(put, _Slice(content, start, size), file["name"])
                left -= 1
                self._worked = time.monotonic()
            return not missing

        while not self._patiently(go_on):
            pass

    def _send_part(self, put: Json, content: _Slice, name: str) -> None:
        headers = {
            **put["headers"],
            "Content-Length": str(content.size),
            "Content-Type": "application/octet-stream",
        }
        request = urllib.request.Request(  # noqa: S310 - orchestrate's own address
            put["url"], data=content, headers=headers, method="PUT"
        )
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310
                answer.read()
        except urllib.error.HTTPError as error:
            said = _said(error)
            if any(code in said for code in _DAMAGED):
                raise ChangedError(f"{name}: S3 got other bytes than were announced") from None
            raise OSError(f"{name}: S3 answers {error.code}: {said}") from None
        except ValueError as error:  # the file ended before its time
            raise ChangedError(f"{name}: {error}") from None

    def _get(self, url: str, file: Json, part: str) -> None:
        """Goes on with a file where `part` ends."""
        have = os.path.getsize(part) if os.path.exists(part) else 0  # noqa: PTH110, PTH202
        if have >= file["size"] and have:
            return
        headers = {"Range": f"bytes={have}-"} if have else {}
        request = urllib.request.Request(url, headers=headers)  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310
                mode = "ab" if answer.status == 206 else "wb"
                with open(part, mode) as target:  # noqa: PTH123
                    for block in iter(lambda: answer.read(_BLOCK), b""):
                        target.write(block)
                        self._worked = time.monotonic()
                        self._check_wanted()
        except urllib.error.HTTPError as error:
            raise OSError(f"{file['name']}: S3 answers {error.code}: {_said(error)}") from None
        if os.path.getsize(part) < file["size"]:  # noqa: PTH202
            raise OSError(f"{file['name']}: the connection broke")

    def _patiently(self, work: Callable[[], _T]) -> _T:
        """Does `work`, again and again where it fails for a reason that may pass."""
        pause_s, self._worked = _PAUSES_S[0], time.monotonic()
        while True:
            self._check_wanted()
            try:
                done = work()
            except (OSError, http.client.HTTPException) as error:
                if time.monotonic() - self._worked > self._patience_s:
                    raise GaveUpError(str(error) or type(error).__name__) from None
                self._cancelled.wait(pause_s)
                pause_s = min(_PAUSES_S[1], 2 * pause_s)
            else:
                return done

    def _check_wanted(self) -> None:
        if self._cancelled.is_set():
            raise CancelledError


class _Slice:
    """A part of a file, as a body of a request."""

    def __init__(self, file: Any, start: int, size: int) -> None:
        self.size = size
        self._file = file
        self._left = size
        file.seek(start)

    def read(self, wanted: int = -1) -> bytes:
        most = min(_BLOCK, self._left if wanted < 0 else wanted, self._left)
        block: bytes = self._file.read(most)
        if len(block) < most and not block:
            raise ValueError("has become shorter while it was sent")
        self._left -= len(block)
        return block


def _is(path: str, file: Json) -> bool:
    """Whether a file is there with the right bytes."""
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as content:  # noqa: PTH123
            for block in iter(lambda: content.read(_BLOCK), b""):
                digest.update(block)
    except OSError:
        return False
    return digest.hexdigest() == file["sha256"]


def _said(error: urllib.error.HTTPError) -> str:
    """What S3 says of a refusal, in short; never the address, which is as good as a key."""
    with error:
        body = error.read(2000).decode(errors="replace")
    found = [body.partition(f"<{tag}>")[2].partition(f"</{tag}>")[0] for tag in ("Code", "Message")]
    return ": ".join(filter(None, found)) or str(error.reason)
