"""Assembles an image's root folder from this machine's Python; needs no container engine or index.

It holds a shell, a few of the usual commands, and in /opt/python the interpreter that runs the
tests, with the packages that are named, as they are installed here, and without all others.
"""

import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Sequence
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement

_COMMANDS = ("sh", "cat", "echo", "sleep", "ls", "true", "false", "kill", "env", "head", "mkdir")
_LOADED_LATE = "libgcc_s.so.1"  # by pthread_exit
_LEFT_OUT = (
    "site-packages",
    "test",
    "tests",
    "__pycache__",
    "idlelib",
    "tkinter",
    "ensurepip",
    "*.a",
)


def make_rootfs(root: Path, installed: Iterable[str] = (), wheels: Sequence[Path] = ()) -> Path:
    """Returns `root`, filled.

    Args:
        root: A folder that does not exist yet.
        installed: Requirements that are copied from this environment, with all that they require.
        wheels: Packages that come from these files instead.
    """
    for name in ("tmp", "etc", "proc", "dev", "work"):
        (root / name).mkdir(parents=True)
    (root / "tmp").chmod(0o1777)
    (root / "etc/passwd").write_text("root:x:0:0::/:/bin/sh\nwork:x:1000:1000::/work:/bin/sh\n")
    (root / "etc/group").write_text("root:x:0:\nwork:x:1000:\n")
    for name in ("usr/bin", "usr/lib", "usr/lib64"):
        (root / name).mkdir(parents=True)
        (root / Path(name).name).symlink_to(name)
    programs = [
        Path(found) for name in _COMMANDS if (found := shutil.which(name, path="/bin:/usr/bin"))
    ]
    for program in programs:
        shutil.copy(program.resolve(), root / "usr/bin" / program.name)
    python = root / "opt/python"
    (python / "bin").mkdir(parents=True)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    real = Path(sys.base_prefix) / "bin" / version
    shutil.copy(real, python / "bin" / "python3")
    shutil.copytree(
        sysconfig.get_path(
            "stdlib", vars={"installed_base": sys.base_prefix, "base": sys.base_prefix}
        ),
        python / "lib" / version,
        ignore=shutil.ignore_patterns(*_LEFT_OUT),
    )
    (python / "lib" / version / "site-packages").mkdir()
    brought = {wheel.name.partition("-")[0].replace("_", "-") for wheel in wheels}
    for found in _with_requirements(installed):
        if found.name not in brought:
            _copy(found, python / "lib" / version / "site-packages")
    if wheels:
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-compile", "--no-deps"]
        into = ["--ignore-installed", "--no-warn-script-location", "--prefix", str(python)]
        subprocess.run([*command, *into, *wheels], check=True)
    for program in (python / "bin").iterdir():
        content = program.read_bytes()
        head, _, rest = content.partition(b"\n")
        if head.startswith(b"#!") and b"python" in head:
            program.write_bytes(b"#!/usr/bin/python3\n" + rest)
        (root / "usr/bin" / program.name).symlink_to(f"/opt/python/bin/{program.name}")
    _add_libraries(root, [real, *programs, *_binaries(python)])
    return root


def _with_requirements(wanted: Iterable[str]) -> list[Distribution]:
    """Returns what is installed here of `wanted` and of all that it requires, each once."""
    open_, seen = [Requirement(one) for one in wanted], set()
    found: dict[str, Distribution] = {}
    while open_:
        one = open_.pop()
        if (key := (one.name, *sorted(one.extras))) in seen:
            continue
        seen.add(key)
        found[one.name] = distribution(one.name)
        for line in found[one.name].requires or ():
            next_ = Requirement(line)
            extras = one.extras or {""}
            if next_.marker is None or any(next_.marker.evaluate({"extra": e}) for e in extras):
                open_.append(next_)
    return list(found.values())


def _copy(found: Distribution, packages: Path) -> None:
    """Copies a distribution's files; some lie beside `packages`, as in bin."""
    for file in found.files or ():
        if "__pycache__" not in file.parts:
            target = packages / file
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file.locate(), target, follow_symlinks=False)


def _binaries(python: Path) -> list[Path]:
    libraries = [p for p in (python / "lib").rglob("*.so*") if p.is_file() and not p.is_symlink()]
    return libraries + [p for p in (python / "bin").iterdir() if p.is_file()]


def _add_libraries(root: Path, programs: Sequence[Path]) -> None:
    """Copies the machine's own libraries that any of `programs` is linked with."""
    said = subprocess.run(
        ["ldd", *map(str, programs)], capture_output=True, text=True, check=False
    ).stdout
    found = {Path(path) for path in re.findall(r"(/\S+) \(0x", said)}
    libc = next(path for path in found if path.name.startswith("libc.so"))
    for library in {*found, libc.with_name(_LOADED_LATE)}:
        if root in library.parents:
            continue
        target = root / ("usr/lib64" if library.name.startswith("ld-linux") else "usr/lib")
        shutil.copy(library.resolve(), target / library.name)


if __name__ == "__main__":
    make_rootfs(Path(sys.argv[1]), installed=sys.argv[2:])
