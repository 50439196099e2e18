"""The examples run as they are written."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["quickstart", "shell"])  # kubernetes: tests/kubernetes
def test_an_example_runs_to_its_end(name: str, tmp_path: Path) -> None:
    python = Path(sys.executable).parent
    done = subprocess.run(
        [sys.executable, "-m", "sigopt_orchestrate", "run", "experiment.yml", "--json"],
        cwd=EXAMPLES / name,
        env=os.environ
        | {"ORCHESTRATE_HOME": str(tmp_path), "PATH": f"{python}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["observed"] == summary["trials"]["completed"] == summary["budget"]
    assert summary["best"]
