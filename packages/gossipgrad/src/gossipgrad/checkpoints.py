"""Checkpoints: one averaged model, each rank's optimizer; resumed on any number of ranks.

A checkpoint is a folder: `model.pt` holds the consensus model and the step, `optimizer-R.pt` the
optimizer state of rank R, and `complete.json`, written last, says of which ranks. A folder without
it is no checkpoint. Rank r of a resumed run reads the optimizer state of the r-th rank that was
alive, modulo their number, so that more or fewer ranks can go on.
"""

import json
import os
from pathlib import Path
from typing import Any

import torch

from gossipgrad.data_parallel import GossipDataParallel
from gossipgrad.errors import CheckpointError

_COMPLETE = "complete.json"
_FORMAT = 1


def save(
    folder: str | Path,
    model: GossipDataParallel,
    optimizer: torch.optim.Optimizer,
    extra: dict[str, Any] | None = None,
) -> None:
    """Writes a checkpoint; collective, and atomic: until all is written, the old one stands.

    Args:
        folder: on a file system that all ranks share; replaced if it is a checkpoint.
        model: whose consensus is taken and saved.
        optimizer: this rank's.
        extra: JSON values, such as an epoch, that `load` returns; rank order decides whose.

    Raises:
        CheckpointError: `folder` exists and is something else.
    """
    folder = Path(folder)
    if folder.exists() and not (folder / _COMPLETE).exists():
        raise CheckpointError(f"{folder} exists and is no checkpoint; choose another folder")
    state = model.state_dict()
    ranks = model.living
    fresh = folder.with_name(f".{folder.name}.writing")
    fresh.mkdir(parents=True, exist_ok=True)
    _write(fresh / f"optimizer-{model.rank}.pt", optimizer.state_dict())
    if model.rank == ranks[0]:
        _write(fresh / "model.pt", state)
    model.barrier()
    if model.rank == ranks[0]:
        about = {"format": _FORMAT, "ranks": ranks, "steps": model.steps, "extra": extra or {}}
        with (fresh / _COMPLETE).open("w", encoding="utf-8") as file:
            json.dump(about, file)
            file.flush()
            os.fsync(file.fileno())
        _replace(folder, fresh)
    model.barrier()


def load(
    folder: str | Path, model: GossipDataParallel, optimizer: torch.optim.Optimizer
) -> dict[str, Any]:
    """Reads a checkpoint into model and optimizer; collective; returns `extra`.

    Args:
        folder: what `save` wrote, perhaps on another number of ranks.
        model: wrapped on this run's ranks.
        optimizer: this rank's, made as when saved.

    Raises:
        CheckpointError: no checkpoint, one of another format, or of another model.
    """
    folder = Path(folder)
    previous = folder.with_name(f".{folder.name}.previous")
    if not folder.exists() and previous.exists():
        folder = previous  # a crash fell between the two renames
    try:
        about = json.loads((folder / _COMPLETE).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{folder} is no complete checkpoint ({error})") from error
    written = about.get("format") if isinstance(about, dict) else None
    if written != _FORMAT:
        raise CheckpointError(f"{folder} has format {written!r}; this version reads {_FORMAT}")
    try:
        ranks, steps = about["ranks"], about["steps"]
        extra: dict[str, Any] = about["extra"]
        mine = ranks[model.rank % len(ranks)]
    except (KeyError, TypeError, ZeroDivisionError) as error:
        raise CheckpointError(f"{folder / _COMPLETE} is damaged: {error!r}") from error
    state, own = _read(folder / "model.pt"), _read(folder / f"optimizer-{mine}.pt")
    try:
        model.load_state_dict(state)
        optimizer.load_state_dict(own)
    except (RuntimeError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{folder} does not fit this model or optimizer: {error}") from error
    model.steps = steps
    return extra


def _read(path: Path) -> Any:
    try:
        return torch.load(path, weights_only=True)
    except Exception as error:  # damaged bytes raise whatever they happen to say
        raise CheckpointError(f"{path} cannot be read: {error!r}") from error


def _write(path: Path, value: Any) -> None:
    with path.open("wb") as file:
        torch.save(value, file)
        file.flush()
        os.fsync(file.fileno())


def _replace(folder: Path, fresh: Path) -> None:
    # A folder cannot be replaced in one step; `load` knows the state in between.
    previous = folder.with_name(f".{folder.name}.previous")
    if folder.exists():
        _remove(previous)
        folder.rename(previous)
    fresh.rename(folder)
    _remove(previous)


def _remove(folder: Path) -> None:
    if folder.exists():
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()
