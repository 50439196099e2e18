"""Secrets come from the environment, and stay out of everything that is kept."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Orchestrate = Callable[..., subprocess.CompletedProcess[str]]
Write = Callable[..., str]
SECRET = "s3cr3t-" * 6
SAYS_IT = (
    """echo "key $DEPLOY_KEY, twice: $DEPLOY_KEY"; """
    """printf '{{"y": %s}}' {x} > "$ORCHESTRATE_METRICS" """
)


def test_a_secret_reaches_the_trial_and_no_file(
    orchestrate: Orchestrate,
    experiment_file: Write,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DEPLOY_KEY", SECRET)
    done = orchestrate("run", experiment_file(command=SAYS_IT, secrets=["DEPLOY_KEY"], budget=3))
    assert done.returncode == 0, done.stderr
    hidden = "*" * len(SECRET)
    monkeypatch.delenv("DEPLOY_KEY")
    logged = orchestrate("logs").stdout
    assert logged.count(f"key {hidden}, twice: {hidden}\n") == 3
    files = [path for path in (tmp_path / ".orchestrate").rglob("*") if path.is_file()]
    assert len(files) > 6
    assert not [path for path in files if SECRET.encode() in path.read_bytes()]


def test_a_secret_that_is_not_set_is_said_before_anything_starts(
    orchestrate: Orchestrate, experiment_file: Write, tmp_path: Path
) -> None:
    done = orchestrate("run", experiment_file(secrets=["DEPLOY_KEY"]))
    assert done.returncode == 2
    assert "secrets: 'DEPLOY_KEY' is not set" in done.stderr
    assert not (tmp_path / ".orchestrate").exists()


def test_a_secret_has_no_value_in_the_file(
    orchestrate: Orchestrate, experiment_file: Write
) -> None:
    done = orchestrate("run", experiment_file(secrets=["KEY"], env={"KEY": "abc"}))
    assert done.returncode == 2
    assert "secrets[0]: 'KEY' is in env too" in done.stderr
