"""Keeps a log from growing without end, and its last part always at hand."""

from pathlib import Path

LIMIT = 8 << 20
"""Bytes at which a log is cut."""
KEPT = LIMIT // 2
"""Bytes that stay in it then, give or take a line."""


def append(log: Path, older: Path, said: bytes) -> None:
    """Writes to the end of a log; where it has grown too long, its first half becomes `older`.

    Together the two are the log without a gap, but for what an earlier `older` held. A reader
    finds the log in a new file (another inode) then, which begins where `older` ends.

    Args:
        log: The file.
        older: What came before it.
        said: What to add.
    """
    with log.open("ab") as file:
        file.write(said)
        size = file.tell()
    if size > LIMIT:
        content = log.read_bytes()
        line = content.find(b"\n", size - KEPT) + 1
        cut = line or size - KEPT
        _replace(older, content[:cut])
        _replace(log, content[cut:])


def _replace(path: Path, content: bytes) -> None:
    new = path.with_name(path.name + ".new")
    new.write_bytes(content)
    new.replace(path)
