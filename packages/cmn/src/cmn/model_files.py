"""Model files: a folder with config.json and one safetensors file, replaced as a whole."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as unpack
from safetensors.numpy import save as pack
from scipy import sparse

from cmn.atomic_files import write_atomically
from cmn.errors import ModelFileError, ParameterError
from cmn.interactions import Interactions, binary_csr

if TYPE_CHECKING:
    from numpy.typing import NDArray

FORMAT = 2
CONFIG = "config.json"
_OWN = re.compile(r"weights-[0-9a-f]{16}\.safetensors")


def save_model(folder: Path, config: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> None:
    """Writes a model; a model already there is replaced only when the new one is complete.

    The arrays' file carries its digest in its name, and config.json, written last, names it.
    """
    content = pack({name: np.ascontiguousarray(values) for name, values in arrays.items()})
    digest = hashlib.sha256(content).hexdigest()
    weights = f"weights-{digest[:16]}.safetensors"
    write_atomically(folder / weights, content)
    text = json.dumps({"format": FORMAT, "weights": weights, "sha256": digest, **config}, indent=2)
    write_atomically(folder / CONFIG, f"{text}\n".encode())
    for stale in folder.glob("weights-*.safetensors"):
        if stale.name != weights and _OWN.fullmatch(stale.name):
            stale.unlink(missing_ok=True)  # another saver may have been faster


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
        return config, unpack(content)
    except FileNotFoundError as error:
        raise ModelFileError(
            f"model {str(folder)!r} is not a saved model: {error.filename!r} does not exist"
        ) from error
    except (OSError, KeyError, TypeError, ValueError, SafetensorError) as error:
        if isinstance(error, ModelFileError):
            raise
        raise ModelFileError(f"model {str(folder)!r} is corrupt: {error}") from error


def pack_interactions(interactions: Interactions) -> dict[str, NDArray[Any]]:
    """Returns a binary matrix and the ids of its rows and columns as plain arrays.

    Raises:
        ParameterError: ids of a type that a plain file cannot hold.
    """
    matrix = interactions.matrix
    return {
        "train.indptr": matrix.indptr,
        "train.indices": matrix.indices,
        **pack_ids("users", interactions.user_ids),
        **pack_ids("items", interactions.item_ids),
    }


def unpack_interactions(arrays: dict[str, NDArray[Any]], shape: tuple[int, int]) -> Interactions:
    """Returns what `pack_interactions` was given.

    Raises:
        KeyError: an array is missing.
        ValueError: an array is damaged.
    """
    indices = arrays["train.indices"]
    ones = np.ones(indices.size, dtype=np.float32)
    matrix = sparse.csr_array((ones, indices, arrays["train.indptr"]), shape)
    users, items = unpack_ids("users", arrays), unpack_ids("items", arrays)
    return Interactions(binary_csr(matrix), users, items)


def pack_ids(field: str, labels: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """Returns ids as plain arrays: numbers and dates as int64 or float64, text as UTF-8 with ends.

    Args:
        field: `users` or `items`.
        labels: (n,), as `cmn.identifiers.as_labels` gives them.

    Raises:
        ParameterError: ids of another type, which a plain file cannot hold.
    """
    if labels.dtype != object:
        if labels.dtype.kind in "mM":
            unit = np.frombuffer(labels.dtype.str.encode(), np.uint8)
            return {f"{field}.dates": labels.view(np.int64), f"{field}.unit": unit}
        return {f"{field}.numbers": labels}
    strange = next((label for label in labels.tolist() if not isinstance(label, str)), None)
    if strange is not None:
        raise ParameterError(
            f"{field} has the id {strange!r} of type {type(strange).__name__};"
            " numbers, dates or text can be saved"
        )
    encoded = [label.encode() for label in labels.tolist()]
    return {
        f"{field}.text": np.frombuffer(b"".join(encoded), np.uint8),
        f"{field}.ends": np.cumsum([len(text) for text in encoded], dtype=np.int64),
    }


def unpack_ids(field: str, arrays: dict[str, NDArray[Any]]) -> NDArray[Any]:
    """Returns what `pack_ids` was given.

    Raises:
        KeyError: there are no ids of this field.
        ValueError: they are damaged.
    """
    if f"{field}.numbers" in arrays:
        return arrays[f"{field}.numbers"]
    if f"{field}.dates" in arrays:
        return arrays[f"{field}.dates"].view(np.dtype(arrays[f"{field}.unit"].tobytes().decode()))
    text, ends = arrays[f"{field}.text"].tobytes(), arrays[f"{field}.ends"].tolist()
    labels = np.empty(len(ends), dtype=object)
    labels[:] = [text[start:end].decode() for start, end in zip([0, *ends[:-1]], ends, strict=True)]
    return labels
