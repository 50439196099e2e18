"""S6: what it costs to begin."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from measuring import Row, environment, least_cpu_s


def python(*arguments: str) -> Callable[[Path], object]:
    """A fresh interpreter with these arguments."""
    return lambda folder: subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment(),
        check=True,
        stdout=subprocess.DEVNULL,
    )


def measure() -> list[Row]:
    """Measures the import and the help, interpreter included."""
    python("-m", "sigopt_orchestrate", "--help")(Path())  # bytecode, as after an installation
    imported = least_cpu_s(python("-c", "import sigopt_orchestrate"), repeats=5)
    helped = least_cpu_s(python("-m", "sigopt_orchestrate", "--help"), repeats=5)
    return [
        Row("S6", "`import sigopt_orchestrate`", f"{imported * 1e3:.0f} ms of CPU", "<= 200 ms"),
        Row("S6", "`orchestrate --help`", f"{helped * 1e3:.0f} ms of CPU", "<= 300 ms"),
    ]
