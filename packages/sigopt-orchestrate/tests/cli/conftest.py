"""The real command line, in a process of its own."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

Orchestrate = Callable[..., subprocess.CompletedProcess[str]]
COMMAND = [sys.executable, "-m", "sigopt_orchestrate"]


@pytest.fixture
def orchestrate(tmp_path: Path) -> Orchestrate:
    """Runs `orchestrate` with these arguments in an empty folder."""

    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*COMMAND, *arguments],
            cwd=tmp_path,
            env={k: v for k, v in os.environ.items() if not k.startswith("ORCHESTRATE_")},
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )

    return call


@pytest.fixture
def experiment_file(tmp_path: Path) -> Callable[..., str]:
    """Writes `experiment.yml`, a quick experiment without a GP, with these keys replaced."""

    def write(**keys: object) -> str:
        given = {
            "name": "quick",
            "command": """echo trial {x}; printf '{{"y": %s}}' {x} > "$ORCHESTRATE_METRICS" """,
            "parameters": [{"name": "x", "type": "double", "bounds": {"min": 0, "max": 1}}],
            "metrics": [{"name": "y"}],
            "budget": 4,
            "parallel": 2,
            "optimizer": {"algorithm": "random", "seed": 1},
        }
        (tmp_path / "experiment.yml").write_text(yaml.safe_dump(given | keys))
        return "experiment.yml"

    return write
