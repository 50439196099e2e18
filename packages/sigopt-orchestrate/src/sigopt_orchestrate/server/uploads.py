"""The bytes of files: in once by a signed address, whole or not at all; out by another."""

import base64
import hashlib
import hmac
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, Row, select, update

from sigopt_orchestrate.server.errors import (
    ConflictError,
    ForbiddenError,
    InvalidError,
    UnknownError,
)
from sigopt_orchestrate.server.objects.runs import sign
from sigopt_orchestrate.store.resources import files


def file_to_fill(tx: Connection, file_id: int, signature: str) -> Row[Any]:
    """Returns the file that an upload's address is for.

    Raises:
        UnknownError: If there is none.
        ForbiddenError: If the address was not given out by this server.
        ConflictError: If its bytes are here.
    """
    row = _file(tx, file_id)
    if not _signed(row, "upload", signature):
        raise ForbiddenError("the upload's address is not signed by this server")
    if row.uploaded:
        raise ConflictError(f"file {file_id} has been uploaded already")
    return row


def file_to_send(tx: Connection, file_id: int, signature: str, expires: str) -> Row[Any]:
    """Returns the file that a download's address is for.

    Raises:
        UnknownError: If there is none with its bytes here.
        ForbiddenError: If the address was not given out by this server, or has expired.
    """
    row = _file(tx, file_id)
    if not _signed(row, f"download {expires}", signature):
        raise ForbiddenError("the download's address is not signed by this server")
    if int(expires) < time.time():
        raise ForbiddenError("the download's address has expired; fetch the file again")
    if not row.uploaded:
        raise UnknownError(f"file {file_id} has not been uploaded")
    return row


def mark_uploaded(tx: Connection, file_id: int) -> None:
    """Records that a file's bytes are here."""
    tx.execute(update(files).where(files.c.id == file_id).values(uploaded=True))


def place(folder: Path, file_id: int) -> Path:
    """Returns where a file's bytes lie."""
    return folder / "files" / str(file_id)


async def receive(chunks: AsyncIterator[bytes], row: Row[Any], folder: Path) -> None:
    """Writes a file's bytes to its place once they are all there and as announced.

    Raises:
        InvalidError: If they are more, fewer or others than announced; nothing is kept then.
    """
    target = place(folder, row.id)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f"{row.id}.{uuid4().hex}.partial")
    seen, length = hashlib.md5(usedforsecurity=False), 0
    try:
        with partial.open("wb") as file:
            async for chunk in chunks:
                length += len(chunk)
                if length > row.content_length:
                    break
                seen.update(chunk)
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        if length != row.content_length:
            raise InvalidError(f"content_length: {row.content_length} bytes were announced")
        if base64.b64encode(seen.digest()).decode() != row.content_md5:
            raise InvalidError("content_md5: the bytes are not those that were announced")
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def _signed(row: Row[Any], purpose: str, signature: str) -> bool:
    return hmac.compare_digest(sign(row.secret, purpose).encode(), signature.encode())


def _file(tx: Connection, file_id: int) -> Row[Any]:
    row = tx.execute(select(files).where(files.c.id == file_id)).one_or_none()
    if row is None:
        raise UnknownError(f"there is no file {file_id}")
    return row
