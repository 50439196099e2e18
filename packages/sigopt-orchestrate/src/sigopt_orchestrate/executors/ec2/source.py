"""The experiment's folder, packed once for all of its instances."""

import fnmatch
import tarfile
from pathlib import Path

from sigopt_orchestrate.errors import SpecError

LIMIT = 256 << 20
_NEVER = (".git", ".orchestrate", ".venv", "venv", "__pycache__", "*.pyc")


def pack(folder: Path, exclude: tuple[str, ...], target: Path) -> Path:
    """Packs `folder` into `target`, unless that is there: all trials run the same files.

    Args:
        folder: The experiment's.
        exclude: Names or relative patterns of what stays behind.
        target: A `.tar.gz`.

    Raises:
        SpecError: If there is too much of it.
    """
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.part")
    total = 0

    def chosen(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
        nonlocal total
        path = entry.name.removeprefix("./")
        for pattern in (*_NEVER, *exclude):
            if fnmatch.fnmatch(path, pattern) or fnmatch.fnmatch(Path(path).name, pattern):
                return None
        if not (entry.isfile() or entry.isdir() or entry.issym()):
            return None
        total += entry.size
        if total > LIMIT:
            raise SpecError(
                f"backend.ec2.source: {folder} has more than {LIMIT >> 20} MiB; name in "
                "backend.ec2.exclude what the trials do not need, or set `source: false`"
            )
        entry.uid = entry.gid = 0
        entry.uname = entry.gname = "root"
        return entry

    with tarfile.open(part, "w:gz", compresslevel=6) as archive:
        archive.add(folder, ".", filter=chosen)
    return part.replace(target)
