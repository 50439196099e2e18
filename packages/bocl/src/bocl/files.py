"""Files that are whole or not there: atomic writes, tensors by safetensors, digests."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import safetensors.torch
from safetensors import SafetensorError

from bocl.errors import CheckpointError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor


def write(path: Path, content: bytes) -> None:
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
        draft.unlink(missing_ok=True)
        raise


def write_json(path: Path, content: Any) -> None:
    """Writes JSON, atomically."""
    write(path, (json.dumps(content, indent=1, sort_keys=True) + "\n").encode())


def read_json(path: Path) -> Any:
    """Returns a JSON file's content.

    Raises:
        CheckpointError: missing or not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise CheckpointError(f"file {str(path)!r} does not exist") from error
    except (OSError, ValueError) as error:
        raise CheckpointError(f"file {str(path)!r} is corrupt: {error}") from error


def write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Writes named tensors as safetensors, atomically."""
    content = {name: tensor.detach().contiguous() for name, tensor in tensors.items()}
    write(path, safetensors.torch.save(content))


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Returns the tensors of a safetensors file.

    Raises:
        CheckpointError: missing or corrupt.
    """
    try:
        return safetensors.torch.load(path.read_bytes())
    except FileNotFoundError as error:
        raise CheckpointError(f"file {str(path)!r} does not exist") from error
    except (OSError, SafetensorError, ValueError, KeyError) as error:
        raise CheckpointError(f"file {str(path)!r} is corrupt: {error}") from error


def digest(tensor: Tensor) -> str:
    """Returns the SHA-256 of a tensor's type, shape and bytes."""
    array = tensor.detach().contiguous().numpy()
    head = f"{array.dtype}{array.shape}".encode()
    return hashlib.sha256(head + array.tobytes()).hexdigest()


def combined_digest(tensors: Mapping[str, Tensor]) -> str:
    """Returns one SHA-256 of named tensors."""
    parts = [f"{name}:{digest(tensors[name])}" for name in sorted(tensors)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
