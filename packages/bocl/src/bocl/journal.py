"""Unfinished work of one task, kept so that a killed run goes on and ends with the same weights.

work/identity.json       which task, data and settings the work belongs to
work/trials.jsonl        a line per trial, appended and synced
work/<name>.safetensors  state of a training after its last whole epoch
"""

from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING, Any

from bocl import files
from bocl.errors import CheckpointError
from bocl.growth import Growth
from bocl.search.trials import Trial

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor


class Journal:
    """The work folder of one task; a `Keeper` for its trainings.

    Args:
        folder: None keeps all in memory, which is enough for a run that is not killed.
        identity: what must be equal for the work to be taken up again.

    Raises:
        CheckpointError: the folder holds work of another task, data or settings.
    """

    def __init__(self, folder: Path | None, identity: dict[str, Any]) -> None:
        self._folder = folder
        self._memory: dict[str, dict[str, Tensor]] = {}
        if folder is None:
            return
        path = folder / "identity.json"
        found = files.read_json(path) if path.is_file() else None
        if folder.is_dir() and (found is None or found.get("task", 0) < identity.get("task", 0)):
            shutil.rmtree(folder)  # of a task that is stored: a crash fell into `finish`
            found = None
        if found is not None:
            differing = [name for name in identity if found.get(name) != identity[name]]
            if differing:
                raise CheckpointError(
                    f"folder {str(folder)!r} holds unfinished work with another "
                    f"{', '.join(differing)}; go on with the same, or remove it"
                )
        else:
            files.write_json(path, identity)

    def load(self, name: str) -> dict[str, Tensor] | None:
        """Returns the tensors kept under a name."""
        if self._folder is None:
            return self._memory.get(name)
        path = self._folder / f"{name}.safetensors"
        return files.read_tensors(path) if path.is_file() else None

    def save(self, name: str, tensors: dict[str, Tensor]) -> None:
        """Keeps tensors under a name."""
        if self._folder is None:
            self._memory[name] = {name: tensor.clone() for name, tensor in tensors.items()}
        else:
            files.write_tensors(self._folder / f"{name}.safetensors", tensors)

    def trials(self) -> list[Trial]:
        """Returns the trials told so far; a line that was cut short by a crash does not count."""
        path = None if self._folder is None else self._folder / "trials.jsonl"
        if path is None or not path.is_file():
            return []
        result = []
        for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
            if not line.endswith("\n"):
                break
            result.append(trial_of(json.loads(line)))
        whole = "".join(json.dumps(plain_trial(trial)) + "\n" for trial in result)
        if path.stat().st_size != len(whole.encode()):
            files.write(path, whole.encode())
        return result

    def tell(self, trial: Trial) -> None:
        """Appends a trial."""
        if self._folder is None:
            return
        with (self._folder / "trials.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(plain_trial(trial)) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def finish(self) -> None:
        """Removes the work of a task that is safely stored elsewhere."""
        if self._folder is not None:
            shutil.rmtree(self._folder)


def plain_trial(trial: Trial) -> dict[str, Any]:
    """Returns a trial as JSON takes it."""
    return {
        "widths": list(trial.growth.widths),
        "reuse": trial.growth.reuse,
        "accuracy": trial.accuracy,
        "cost": trial.cost,
    }


def trial_of(plain: dict[str, Any]) -> Trial:
    """Returns the trial of `plain_trial`."""
    growth = Growth(tuple(plain["widths"]), plain["reuse"])
    return Trial(growth, plain["accuracy"], plain["cost"])
