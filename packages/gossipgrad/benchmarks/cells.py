"""Raw figures, kept one cell at a time, so that a benchmark that was cut goes on where it stopped.

`results.json` beside this file holds what every cell told, the day, and the task it was measured
with: a changed task is measured again, and `--fresh` measures anything again.
"""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lab import Skipped

RESULTS = Path(__file__).with_name("results.json")


class Cells:
    """Cells of one file.

    Args:
        path: where they are kept; None keeps them in memory only.
        fresh: whether to measure again what is there.
        closed: whether to measure nothing.
    """

    def __init__(
        self, path: Path | None = RESULTS, *, fresh: bool = False, closed: bool = False
    ) -> None:
        self._path = path
        self._fresh = fresh
        self.closed = closed
        self._mine: set[str] = set()
        self._cells: dict[str, Any] = {}
        if path is not None and path.exists():
            self._cells = json.loads(path.read_text(encoding="utf-8"))

    def has(self, name: str, task: Any) -> bool:
        """Says whether a cell need not be measured."""
        cell = self._cells.get(name)
        usable = name in self._mine or not self._fresh
        return cell is not None and usable and bool(cell["task"] == json.loads(json.dumps(task)))

    def measured(self, name: str, task: Any, measure: Callable[[], Any]) -> Any:
        """Returns what a cell told, and measures it only if it is missing.

        Raises:
            Skipped: It is missing and nothing is to be measured.
        """
        if not self.has(name, task):
            if self.closed:
                raise Skipped(f"{name} has not been measured")
            self.put(name, task, measure())
        return self.kept(name)

    def kept(self, name: str) -> Any:
        """Returns what a cell told."""
        return self._cells[name]["told"]

    def put(self, name: str, task: Any, told: Any) -> None:
        """Keeps a cell, at once."""
        self._mine.add(name)
        # Through JSON, so that fresh and kept cells are alike.
        cell = json.loads(json.dumps({"on": time.strftime("%Y-%m-%d"), "task": task, "told": told}))
        self._cells[name] = cell
        if self._path is None:
            return
        partial = self._path.with_suffix(".partial")
        lines = (
            f"{json.dumps(key)}: {json.dumps(self._cells[key])}" for key in sorted(self._cells)
        )
        partial.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
        partial.replace(self._path)
