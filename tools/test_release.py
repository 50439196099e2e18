"""`release.py` as the release workflow calls it: its command line, on a tree of two packages."""

import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).with_name("release.py")
CHANGELOG = "# Changelog\n\n## 0.2.0 - 2026-11-22\n\n- Faster.\n\n## 0.1.0 - 2026-10-01\n"


def write_package(root: Path, folder: str, project: str, changelog: str | None = CHANGELOG) -> None:
    """Write a package of the given [project] table."""
    path = root / "packages" / folder
    path.mkdir(parents=True)
    (path / "pyproject.toml").write_text(f"[project]\n{project}\n", encoding="utf-8")
    if changelog is not None:
        (path / "CHANGELOG.md").write_text(changelog, encoding="utf-8")


def release(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the tool in `root`."""
    return subprocess.run(
        [sys.executable, TOOL, *arguments], cwd=root, capture_output=True, text=True, check=False
    )


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a tree whose second package lives in a folder of another name."""
    write_package(tmp_path, "cmn", 'name = "cmn"\nversion = "0.2.0"')
    write_package(tmp_path, "orchestrate", 'name = "sigopt-orchestrate"\nversion = "0.2.0"')
    return tmp_path


@pytest.mark.parametrize(
    ("tag", "folder"),
    [("cmn-v0.2.0", "cmn"), ("sigopt-orchestrate-v0.2.0", "orchestrate")],
)
def test_a_tag_that_agrees_prints_the_folder(root: Path, tag: str, folder: str) -> None:
    """The folder's name and nothing else, for the workflow to build."""
    result = release(root, tag)
    assert (result.returncode, result.stdout, result.stderr) == (0, f"{folder}\n", "")


def test_a_name_that_holds_the_separator_is_split_at_the_last_one(tmp_path: Path) -> None:
    """`tool-v2-v1.0rc1` is version 1.0rc1 of `tool-v2`."""
    changelog = "## [1.0rc1] - 2026-11-22\n"
    write_package(tmp_path, "tool", 'name = "tool-v2"\nversion = "1.0rc1"', changelog)
    assert release(tmp_path, "tool-v2-v1.0rc1").stdout == "tool\n"


@pytest.mark.parametrize(
    ("tag", "sentence"),
    [
        ("v0.2.0", "does not read <distribution>-v<version>"),
        ("cmn-0.2.0", "does not read <distribution>-v<version>"),
        ("cmn-vnext", "does not read <distribution>-v<version>"),
        ("cmn-v0.2.0\nx", "does not read <distribution>-v<version>"),
        ("orchestrate-v0.2.0", "no package is named 'orchestrate'; there are: cmn, sigopt-"),
        ("cmn-v0.1.0", "asks for 0.1.0, but cmn is at 0.2.0"),
        ("cmn-v0.2.00", "asks for 0.2.00, but cmn is at 0.2.0"),
    ],
)
def test_a_tag_that_disagrees_is_refused(root: Path, tag: str, sentence: str) -> None:
    """One sentence, status 1, nothing for the workflow to build."""
    result = release(root, tag)
    assert (result.returncode, result.stdout) == (1, "")
    assert sentence in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("changelog", "sentence"),
    [
        (None, "CHANGELOG.md does not exist"),
        ("## 0.1.0 - 2026-10-01\n", "has no heading for 0.2.0"),
        ("## 0x2.0 - 2026-10-01\n", "has no heading for 0.2.0"),
        ("## 0.2.0.1 - 2026-10-01\n", "has no heading for 0.2.0"),
        ("## 0.2.0 - unreleased\n", "says 'unreleased' where 0.2.0 needs its date"),
        ("## 0.2.0 - 2026-13-01\n", "says '2026-13-01' where 0.2.0 needs its date"),
        ("## 0.2.0 - 20261122\n", "says '20261122' where 0.2.0 needs its date"),
        ("## 0.2.0\n", "has nothing where 0.2.0 needs its date"),
    ],
)
def test_a_changelog_that_is_not_ready_is_refused(
    tmp_path: Path, changelog: str | None, sentence: str
) -> None:
    """A release without its dated heading does not go out."""
    write_package(tmp_path, "cmn", 'name = "cmn"\nversion = "0.2.0"', changelog)
    result = release(tmp_path, "cmn-v0.2.0")
    assert (result.returncode, result.stdout) == (1, "")
    assert sentence in result.stderr


@pytest.mark.parametrize("heading", ["## 0.2.0 - unreleased\n", "## 0.2.0 - 2026-11-22\n"])
def test_a_rehearsal_takes_an_unreleased_version_and_names_its_tag(
    tmp_path: Path, heading: str
) -> None:
    """What is rehearsed is not out yet."""
    write_package(tmp_path, "tool", 'name = "tool"\nversion = "0.2.0"', heading)
    result = release(tmp_path, "--rehearse", "tool")
    assert (result.returncode, result.stdout, result.stderr) == (0, "tool-v0.2.0\n", "")


@pytest.mark.parametrize("heading", ["## 0.1.0 - 2026-10-01\n", "## 0.2.0 - soon\n"])
def test_a_rehearsal_without_the_versions_heading_is_refused(tmp_path: Path, heading: str) -> None:
    """A changelog that says nothing of the version is no changelog of it."""
    write_package(tmp_path, "tool", 'name = "tool"\nversion = "0.2.0"', heading)
    assert release(tmp_path, "--rehearse", "tool").returncode == 1


def test_a_dynamic_version_is_refused(tmp_path: Path) -> None:
    """Versions are static here: see docs/decisions/0001-static-versions.md."""
    write_package(tmp_path, "cmn", 'name = "cmn"\ndynamic = ["version"]')
    assert "declares no static version" in release(tmp_path, "cmn-v0.2.0").stderr


def test_the_packages_of_this_repository_are_found() -> None:
    """Each real package answers with a judgement on its version, not with `no package`."""
    root = TOOL.parent.parent
    for manifest in root.glob("packages/*/pyproject.toml"):
        result = release(root, f"{manifest.parent.name}-v0.0.0")
        assert f"but {manifest.parent.name} is at" in result.stderr
