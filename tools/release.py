"""Check that a release tag, a package's version and its changelog agree; print the folder's name.

usage: release.py TAG                  (in the repository's root; TAG is <distribution>-v<version>)
       release.py --rehearse PACKAGE   (as it is, its heading may say `unreleased`; print the tag)

On disagreement: one sentence on standard error and exit status 1.
"""

import datetime as dt
import re
import sys
import tomllib
from pathlib import Path


class ReleaseError(Exception):
    """What keeps this tag from being released, as one sentence for the person who set it."""


def split_tag(tag: str) -> tuple[str, str]:
    """Return the distribution's name and the version that `tag` names."""
    match = re.fullmatch(r"(?P<name>.+)-v(?P<version>\d\S*)", tag)
    if match is None:
        raise ReleaseError(f"tag {tag!r} does not read <distribution>-v<version>.")
    return match["name"], match["version"]


def find_package(root: Path, distribution: str) -> tuple[Path, str]:
    """Return the folder whose project.name is `distribution`, and its static version."""
    names = []
    for manifest in sorted(root.glob("packages/*/pyproject.toml")):
        project = tomllib.loads(manifest.read_text(encoding="utf-8"))["project"]
        names.append(project["name"])
        if project["name"] == distribution:
            if "version" not in project:
                raise ReleaseError(f"{manifest.relative_to(root)} declares no static version.")
            return manifest.parent, project["version"]
    known = ", ".join(names) or "none"
    raise ReleaseError(f"no package is named {distribution!r}; there are: {known}.")


def is_date(text: str) -> bool:
    """Tell whether `text` is a day of the calendar as YYYY-MM-DD, not another ISO 8601 form."""
    try:
        return dt.date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def check_changelog(changelog: Path, version: str, *, dated: bool = True) -> None:
    """Raise unless `changelog` has the heading `## <version> - <date>`.

    Unless it is to be `dated`, `unreleased` may stand in the date's place.
    """
    where = f"{changelog.parent.name}/{changelog.name}"
    if not changelog.is_file():
        raise ReleaseError(f"{where} does not exist.")
    heading = re.compile(rf"^## \[?{re.escape(version)}\]?(?: - (?P<date>.*))?$", re.MULTILINE)
    match = heading.search(changelog.read_text(encoding="utf-8"))
    if match is None:
        raise ReleaseError(f"{where} has no heading for {version}.")
    date = (match["date"] or "").strip()
    if not is_date(date) and (dated or date != "unreleased"):
        said = f"says {date!r}" if date else "has nothing"
        raise ReleaseError(f"{where} {said} where {version} needs its date, YYYY-MM-DD.")


def check_release(root: Path, tag: str) -> str:
    """Return the name of the folder that `tag` releases, or raise ReleaseError."""
    distribution, wanted = split_tag(tag)
    folder, version = find_package(root, distribution)
    if version != wanted:
        raise ReleaseError(f"tag {tag!r} asks for {wanted}, but {folder.name} is at {version}.")
    check_changelog(folder / "CHANGELOG.md", version)
    return folder.name


def rehearse(root: Path, distribution: str) -> str:
    """Return the tag that would release a package as it is, or raise ReleaseError."""
    folder, version = find_package(root, distribution)
    check_changelog(folder / "CHANGELOG.md", version, dated=False)
    return f"{distribution}-v{version}"


def main() -> None:
    """Read TAG from the command line, check it, print the folder; or the reverse."""
    given = sys.argv[1:]
    if len(given) != 1 + (given[:1] == ["--rehearse"]):
        sys.exit(__doc__)
    try:
        print(
            check_release(Path.cwd(), *given) if len(given) == 1 else rehearse(Path.cwd(), given[1])
        )
    except ReleaseError as error:
        sys.exit(f"release.py: {error}")


if __name__ == "__main__":
    main()
