"""Model files: a folder with config.json and one npz of plain arrays, replaced as a whole."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cmn.errors import ModelFileError

if TYPE_CHECKING:
    from numpy.typing import NDArray

FORMAT = 1
CONFIG = "config.json"


def write_atomically(path: Path, content: bytes) -> None:
    """Writes a file so that a reader sees the old content or the new, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    draft = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.chmod(0o644)
        draft.replace(path)
    except BaseException:
        draft.unlink()
        raise


def save_model(folder: Path, config: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> None:
    """Writes a model; a model already there is replaced only when the new one is complete.

    The arrays' file carries its digest in its name, and config.json, written last, names it.
    """
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]  # no array is named allow_pickle
    content = buffer.getvalue()
    digest = hashlib.sha256(content).hexdigest()
    weights = f"weights-{digest[:16]}.npz"
    write_atomically(folder / weights, content)
    text = json.dumps({"format": FORMAT, "weights": weights, "sha256": digest, **config}, indent=2)
    write_atomically(folder / CONFIG, f"{text}\n".encode())
    for stale in folder.glob("weights-*.npz"):
        if stale.name != weights:
            stale.unlink()


def load_model(folder: Path) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Returns a model's configuration and arrays.

    Raises:
        ModelFileError: the folder holds no complete, unchanged model of this format.
    """
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        if not isinstance(config, dict) or config.get("format") != FORMAT:
            raise ModelFileError(
                f"model {str(folder)!r} is not of format {FORMAT}, the only one this version reads"
            )
        content = (folder / Path(config["weights"]).name).read_bytes()
        if hashlib.sha256(content).hexdigest() != config["sha256"]:
            raise ModelFileError(
                f"model {str(folder)!r} is corrupt: its weights do not match its config"
            )
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            return config, dict(archive)
    except FileNotFoundError as error:
        raise ModelFileError(
            f"model {str(folder)!r} is not a saved model: {error.filename!r} does not exist"
        ) from error
    except (OSError, KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
        if isinstance(error, ModelFileError):
            raise
        raise ModelFileError(f"model {str(folder)!r} is corrupt: {error}") from error
