"""`changed.py` as CI calls it: its command line, in real git repositories."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).with_name("changed.py")
ALL = ["alpha", "beta-two"]


def git(repo: Path, *arguments: str) -> str:
    """Run git in `repo`, deaf to the configuration and hooks of whoever runs the tests."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    environment |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    identity = ["-c", "user.name=test", "-c", "user.email=test@example.invalid"]
    result = subprocess.run(
        ["git", *identity, *arguments],
        cwd=repo,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return result.stdout.strip()


def commit(repo: Path) -> str:
    """Commit everything in `repo` and return the commit."""
    git(repo, "add", "--all")
    git(repo, "commit", "--quiet", "--message", "step")
    return git(repo, "rev-parse", "HEAD")


def write(repo: Path, path: str, text: str = "x\n") -> None:
    """Write `text` into `repo`/`path`, folders included."""
    (repo / path).parent.mkdir(parents=True, exist_ok=True)
    (repo / path).write_text(text, encoding="utf-8")


def call(repo: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the tool in `repo`."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    return subprocess.run(
        [sys.executable, TOOL, *arguments],
        cwd=repo,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def changed(repo: Path, base: str) -> list[str]:
    """Return the list that the tool prints."""
    result = call(repo, base)
    assert result.returncode == 0, result.stderr
    names: list[str] = json.loads(result.stdout)
    return names


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """Return a repository of two packages, and a folder under packages/ that is none."""
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    for name in ALL:
        write(tmp_path, f"packages/{name}/pyproject.toml", f'[project]\nname = "{name}"\n')
        write(tmp_path, f"packages/{name}/src/code.py", f"# {name}, long enough for a rename\n" * 9)
    write(tmp_path, "packages/notes/README.md")
    write(tmp_path, "README.md")
    commit(tmp_path)
    return tmp_path


def test_only_the_package_that_changed_is_listed(repo: Path) -> None:
    """One package's file changed."""
    base = git(repo, "rev-parse", "HEAD")
    write(repo, "packages/beta-two/tests/test_é.py")
    commit(repo)
    assert changed(repo, base) == ["beta-two"]


@pytest.mark.parametrize("path", ["README.md", "docs/index.md", "packages/notes/README.md"])
def test_a_path_outside_packages_changes_none(repo: Path, path: str) -> None:
    """An empty list, which CI takes for `nothing to test`."""
    base = git(repo, "rev-parse", "HEAD")
    write(repo, path, "changed\n")
    commit(repo)
    assert changed(repo, base) == []


@pytest.mark.parametrize(
    "path",
    ["Makefile", "constraints.txt", "pyproject.toml", ".github/workflows/ci.yml", "tools/new.py"],
)
def test_a_shared_path_changes_all(repo: Path, path: str) -> None:
    """What all packages share touches each of them."""
    base = git(repo, "rev-parse", "HEAD")
    write(repo, path)
    commit(repo)
    assert changed(repo, base) == ALL


def test_a_file_of_a_shared_name_inside_a_package_changes_that_package_only(repo: Path) -> None:
    """packages/alpha/pyproject.toml is not the root's."""
    base = git(repo, "rev-parse", "HEAD")
    write(repo, "packages/alpha/pyproject.toml", '[project]\nname = "other"\n')
    commit(repo)
    assert changed(repo, base) == ["alpha"]


@pytest.mark.parametrize("base", ["", "0" * 40, "no-such-branch", "--output=leak"])
def test_an_unknown_base_changes_all(repo: Path, base: str) -> None:
    """Nothing is known, so everything is tested; and a base is never taken for an option."""
    assert changed(repo, base) == ALL
    assert not (repo / "leak...HEAD").exists()


def test_a_file_moved_between_packages_changes_both(repo: Path) -> None:
    """The package that lost the file has changed as well."""
    base = git(repo, "rev-parse", "HEAD")
    git(repo, "mv", "packages/alpha/src/code.py", "packages/beta-two/src/moved.py")
    commit(repo)
    assert changed(repo, base) == ALL


def test_commits_on_the_base_branch_since_the_fork_do_not_count(repo: Path) -> None:
    """The comparison starts at the merge base."""
    git(repo, "switch", "--quiet", "--create", "work")
    write(repo, "packages/alpha/src/code.py")
    commit(repo)
    git(repo, "switch", "--quiet", "main")
    write(repo, "packages/beta-two/src/code.py")
    commit(repo)
    git(repo, "switch", "--quiet", "work")
    assert changed(repo, "main") == ["alpha"]


def test_a_deleted_package_is_not_listed(repo: Path) -> None:
    """A matrix over a folder that is gone would fail."""
    base = git(repo, "rev-parse", "HEAD")
    shutil.rmtree(repo / "packages/alpha")
    commit(repo)
    assert changed(repo, base) == []


def test_outside_a_root_it_fails_with_one_sentence(tmp_path: Path) -> None:
    """An empty list here would let CI pass without a test."""
    result = call(tmp_path, "main")
    assert result.returncode == 1
    assert "no packages/*/pyproject.toml" in result.stderr
    assert result.stdout == ""
