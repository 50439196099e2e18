"""Print, as a JSON list, the packages that changed between BASE and HEAD.

usage: changed.py BASE            (in the repository's root)

A change to what all packages share, or a base that git does not know (a new branch's all-zero
commit, a shallow clone, an empty string), means every package.
"""

import json
import subprocess
import sys
from pathlib import Path

SHARED_FILES = {"Makefile", "constraints.txt", "hatch.toml", "pyproject.toml"}
SHARED_FOLDERS = (".ci/", ".github/", "examples/", "tools/")


def packages(root: Path) -> list[str]:
    """Return the folders below `root`/packages that hold a pyproject.toml, sorted."""
    return sorted(path.parent.name for path in root.glob("packages/*/pyproject.toml"))


def changed_paths(root: Path, base: str) -> list[str] | None:
    """Return the paths that differ between HEAD and its merge base with `base`.

    Returns:
        The paths, relative to `root`, or None where git cannot compare the two.
    """
    if not base:
        return None  # "...HEAD" would compare HEAD with itself
    # Without --no-renames, a file moved out of a package would not count as a change to it.
    command = ["git", "diff", "--name-only", "--no-renames", "-z", "--end-of-options"]
    result = subprocess.run(
        [*command, f"{base}...HEAD"], cwd=root, capture_output=True, check=False
    )
    if result.returncode != 0:
        return None
    return [path for path in result.stdout.decode().split("\0") if path]


def changed_packages(root: Path, base: str) -> list[str]:
    """Return the packages to test for the step from `base` to HEAD."""
    everything = packages(root)
    paths = changed_paths(root, base)
    if paths is None or any(p in SHARED_FILES or p.startswith(SHARED_FOLDERS) for p in paths):
        return everything
    return [name for name in everything if any(p.startswith(f"packages/{name}/") for p in paths)]


def main() -> None:
    """Read BASE from the command line and print the list."""
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    root = Path.cwd()
    if not packages(root):
        sys.exit(f"changed.py: no packages/*/pyproject.toml below {root}; run it in the root.")
    print(json.dumps(changed_packages(root, sys.argv[1])))


if __name__ == "__main__":
    main()
