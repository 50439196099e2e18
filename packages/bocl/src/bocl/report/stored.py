"""The page of a run that lies in a folder."""

from __future__ import annotations

from pathlib import Path

from bocl import files
from bocl.errors import CheckpointError
from bocl.learner import BOCL
from bocl.report.facts import facts_of
from bocl.report.page import run_page
from bocl.running import RESULTS, RUN, accuracy_matrix

PAGE = "report.html"


def write_run_page(folder: Path, path: Path | None = None) -> Path:
    """Writes the page of a run, finished or not, and returns where.

    Args:
        folder: what `bocl run` made.
        path: of the page; `report.html` in the folder if not given.

    Raises:
        CheckpointError: the folder holds no run, or a corrupt one.
    """
    learner = BOCL.load(folder)
    run, results = files.read_json(folder / RUN), files.read_json(folder / RESULTS)
    try:
        matrix = accuracy_matrix(results["rows"])
        title = f"{run['stream']}, seed {run['seed']}, protocol {run['protocol']}"
    except (KeyError, TypeError) as error:
        raise CheckpointError(f"folder {str(folder)!r} holds no run: {error}") from error
    if len(matrix) != learner.tasks:
        raise CheckpointError(
            f"folder {str(folder)!r} has results of {len(matrix)} tasks for a learner of "
            f"{learner.tasks}; run `bocl run` again to bring them in line"
        )
    path = path or folder / PAGE
    files.write(path, run_page(facts_of(learner, matrix, title)).encode())
    return path
