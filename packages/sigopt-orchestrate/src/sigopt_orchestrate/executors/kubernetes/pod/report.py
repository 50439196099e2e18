"""What a pod tells about its trial: markers in its log, and a last word in its status."""

from __future__ import annotations

import json
import os
from typing import Any

MARK = "\x1e"
"""Encloses a line of the metrics file, or a part of a courier's question, in the log."""

_LIMIT = 4000  # Kubernetes keeps 4096 bytes of a container's last word


class Metrics:
    """The command's metrics file, said in the log as it grows."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._offset = 0

    def say(self, *, final: bool = False) -> None:
        """Writes the lines that have come since the last call to the log."""
        try:
            with open(self._path, "rb") as file:  # noqa: PTH123 - pathlib doubles the start's time
                file.seek(self._offset)
                content = file.read()
        except OSError:
            return
        whole = content if final else content[: content.rfind(b"\n") + 1]
        self._offset += len(whole)
        for line in whole.splitlines():
            if line.strip():
                mark = MARK.encode()
                os.write(1, mark + b"orchestrate " + line.replace(mark, b"?") + mark + b"\n")

    def read(self) -> str:
        """Returns the whole file."""
        try:
            with open(self._path, "rb") as file:  # noqa: PTH123
                return file.read().decode(errors="surrogateescape")
        except OSError:
            return ""


def last_word(record: dict[str, Any], report: str) -> bytes:
    """Returns the record of how the command ended together with its report, cut to what is kept.

    Where the report is too long its metrics' last values stand for it, and what is wrong with it,
    if anything is.

    Args:
        record: `code`, `ended_by` and `error`, as of `executors.Exit`.
        report: The metrics file.
    """
    said = json.dumps({**record, "report": report, "bytes": _size(report)}).encode()
    if len(said) > _LIMIT:
        short = _shorten(report)
        said = json.dumps({**record, "report": short, "bytes": _size(report)}).encode()
    if len(said) > _LIMIT:
        said = json.dumps({**record, "report": None, "bytes": _size(report)}).encode()
    return said


def _size(report: str) -> int:
    return len(report.encode(errors="surrogateescape"))


def _shorten(report: str) -> str:
    last: dict[str, Any] = {}
    for line in report.splitlines():
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
        except ValueError:
            entry = None
        if not isinstance(entry, dict):
            return line[:200]
        last.update(entry)
    return json.dumps(last) + "\n"
