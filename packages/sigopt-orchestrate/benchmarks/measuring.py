"""What the measurements share: CPU seconds, scratch folders, rows of the README's table."""

import json
import os
import resource
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ORCHESTRATE = [sys.executable, "-m", "sigopt_orchestrate"]


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        figure: Its number in the list of targets, such as `S1`.
        what: What was measured, so that a stranger could do it again.
        measured: The figure, with its unit.
        wanted: The target; empty for a peer's or a side figure.
    """

    figure: str
    what: str
    measured: str
    wanted: str = ""


def cpu_s() -> float:
    """CPU seconds of this process and of its children that have ended."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def least_cpu_s(work: Callable[[Path], object], repeats: int = 3) -> float:
    """The least CPU seconds of some runs of `work`, each in an empty folder."""
    seconds = []
    for _ in range(repeats):
        with scratch() as folder:
            before = cpu_s()
            work(folder)
            seconds.append(cpu_s() - before)
    return min(seconds)


@contextmanager
def scratch() -> Iterator[Path]:
    """An empty folder on a real disk: on a tmpfs, a flush would cost nothing."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR", "/var/tmp")) as folder:  # noqa: S108
        yield Path(folder)


def environment() -> Mapping[str, str]:
    """Our environment, but with bytecode kept as an installed package has it."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("ORCHESTRATE_")}
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    return {**kept, "PYTHONPYCACHEPREFIX": "/var/tmp/orchestrate-bench-bytecode"}  # noqa: S108


def write_experiment(folder: Path, **keys: object) -> Path:
    """Writes an experiment file with a no-op command, these keys replaced."""
    given = {
        "name": "no-op",
        "command": """printf '{{"y": %s}}' {x} > "$ORCHESTRATE_METRICS" """,
        "parameters": [{"name": "x", "type": "double", "bounds": {"min": 0, "max": 1}}],
        "metrics": [{"name": "y"}],
        "optimizer": {"algorithm": "random"},
    }
    path = folder / "experiment.yml"
    path.write_text(json.dumps(given | keys))
    return path
