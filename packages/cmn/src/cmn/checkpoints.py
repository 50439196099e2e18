"""Checkpoints: all that the rest of a training depends on, in a file replaced after each epoch."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from cmn import distributed
from cmn.atomic_files import write_atomically
from cmn.errors import ModelFileError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from scipy import sparse
    from torch import Tensor

    from cmn.interactions import HeldOut

FILE = "checkpoint.safetensors"


@dataclass(frozen=True)
class Progress:
    """How far a training has come.

    Attributes:
        facts: plain JSON values.
        tensors: by name.
    """

    facts: dict[str, Any]
    tensors: dict[str, Tensor]


class Checkpoints:
    """Keeps the last progress of one training in a folder.

    Args:
        folder: made if need be; None keeps nothing.
        fingerprint: tells this training from others, see `fingerprint`.
    """

    def __init__(self, folder: Path | None, fingerprint: str = "") -> None:
        self._path = None if folder is None else folder / FILE
        self._fingerprint = fingerprint

    def save(self, progress: Progress) -> None:
        """Replaces what was kept; if that fails, as on a full disk, the last progress stays.

        Raises:
            OSError: the file cannot be written.
        """
        if self._path is None or distributed.rank() > 0:
            return
        tensors = {name: tensor.contiguous() for name, tensor in progress.tensors.items()}
        note = {"fingerprint": self._fingerprint, "facts": json.dumps(progress.facts)}
        write_atomically(self._path, save(tensors, note))

    def load(self) -> Progress | None:
        """Returns the last progress, if there is any.

        Raises:
            ModelFileError: the file is corrupt, or of a training with other settings or data.
        """
        if self._path is None or not self._path.exists():
            return None
        name = str(self._path)
        try:
            with safe_open(name, framework="pt") as file:
                note = file.metadata() or {}
                tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118  no dict
            facts = json.loads(note["facts"])
        except (SafetensorError, KeyError, ValueError) as error:
            raise ModelFileError(f"checkpoint {name!r} is corrupt: {error}") from error
        if note["fingerprint"] != self._fingerprint:
            raise ModelFileError(
                f"checkpoint {name!r} is of a training with other hyperparameters or data;"
                " name another folder or remove it"
            )
        return Progress(facts, tensors)


def fingerprint(settings: Mapping[str, Any], train: sparse.csr_array, validation: HeldOut) -> str:
    """Returns a digest that two trainings share only with equal settings and data."""
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    digest.update(repr(train.shape).encode())
    for array in (train.indptr, train.indices, validation.users, validation.items):
        digest.update(array.astype("<i8").tobytes())
    return digest.hexdigest()
