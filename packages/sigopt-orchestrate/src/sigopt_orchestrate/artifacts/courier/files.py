"""What there is to carry: files by name, with the checksums by which S3 and readers know them."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from typing import Any, Dict, List, Tuple  # noqa: UP035 - the image may have Python 3.8

PART = 8 << 20
"""Bytes of a part of a file, at least; S3 takes no less than 5 MiB."""
MOST_PARTS = 256
"""Parts of a file: larger files have larger parts, so that one question can name them all."""
UNFINISHED = (".part", ".tmp")
"""Ends of the names of files that somebody is still writing."""

_BLOCK = 1 << 20
Json = Dict[str, Any]  # noqa: UP006
Sources = Dict[str, str]  # noqa: UP006
"""Paths by the name that each is to have in the bucket."""
Look = Dict[str, Tuple[int, int, int]]  # noqa: UP006


class RefusedError(Exception):
    """What trying again does not mend, in one sentence."""


class GaveUpError(RefusedError):
    """Nothing has worked for too long."""


class ChangedError(RefusedError):
    """A file that somebody has written to while it was read."""


def sources(folder: str, *, finished: bool = False) -> Sources:
    """Returns the regular files below a folder, links left out.

    Args:
        folder: Need not be there.
        finished: Whether to leave out what is still being written.

    Raises:
        RefusedError: If a name is no UTF-8: S3 has no other.
    """
    found: Sources = {}
    for root, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(root, name)  # noqa: PTH118 - the names may be no text
            if os.path.islink(path) or not os.path.isfile(path):  # noqa: PTH113, PTH114
                continue
            if finished and name.endswith(UNFINISHED):
                continue
            known_as = os.path.relpath(path, folder).replace(os.sep, "/")
            try:
                known_as.encode()
            except UnicodeEncodeError:
                raise RefusedError(f"{known_as!r}: a file's name must be UTF-8") from None
            found[known_as] = path
    return found


def look(found: Sources) -> Look:
    """Returns what changes whenever a file does: size, time and inode."""
    seen: Look = {}
    for name, path in found.items():
        try:
            stat = os.stat(path)  # noqa: PTH116
        except OSError:
            continue
        seen[name] = (stat.st_size, stat.st_mtime_ns, stat.st_ino)
    return seen


def describe(name: str, path: str) -> Json:
    """Returns a file's `name`, `size`, `sha256` (hex), and its parts' `part_size` and `parts`.

    A part is its SHA-256 in base64, as S3 wants it.

    Raises:
        ChangedError: If it is gone, or grows meanwhile.
    """
    whole = hashlib.sha256()
    parts: List[str] = []  # noqa: UP006
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            size = os.fstat(file.fileno()).st_size
            part_size = part_size_of(size)
            left = size
            while left or not parts:
                part, want = hashlib.sha256(), min(part_size, left)
                while want:
                    block = file.read(min(_BLOCK, want))
                    if not block:
                        raise ChangedError(f"{name}: has become shorter while it was read")
                    whole.update(block)
                    part.update(block)
                    want -= len(block)
                    left -= len(block)
                parts.append(base64.b64encode(part.digest()).decode())
    except OSError as error:
        raise ChangedError(f"{name}: {error.strerror}") from None
    return {
        "name": name,
        "size": size,
        "sha256": whole.hexdigest(),
        "part_size": part_size,
        "parts": parts,
    }


def part_size_of(size: int) -> int:
    """Returns how large a file's parts are: whole MiB where `PART` is too little."""
    least = -(-size // MOST_PARTS)
    return PART if least <= PART else -(-least // _BLOCK) * _BLOCK


def label(files: List[Json]) -> str:  # noqa: UP006
    """Returns a name for a set of files that only the same files have."""
    told = json.dumps([[one["name"], one["size"], one["sha256"]] for one in files])
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def is_safe(name: str) -> bool:
    """Whether a name leads to a file below the folder that it is meant for."""
    steps = name.split("/")
    return bool(name) and not {"", ".", ".."} & set(steps) and "\\" not in name and "\0" not in name
