"""Publishers' file formats: IDX (MNIST) and CIFAR-100's pickles, read without running code."""

from __future__ import annotations

import gzip
import pickle
import struct
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from bocl.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_ALLOWED = {
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("_codecs", "encode"),
}


def read_bytes(path: Path) -> bytes:
    """Returns a file's content, unpacked if it is gzipped.

    Raises:
        DataError: it is damaged.
    """
    content = path.read_bytes()
    if content[:2] != b"\x1f\x8b":
        return content
    try:
        return gzip.decompress(content)
    except (EOFError, OSError, zlib.error) as error:
        raise DataError(f"file {str(path)!r} is damaged: {error}") from error


def read_idx(path: Path) -> NDArray[np.uint8]:
    """Returns the array of an IDX file of bytes, gzipped or not."""
    content = read_bytes(path)
    zeros, kind, dimensions = struct.unpack(">HBB", content[:4])
    if zeros != 0 or kind != 8:
        raise DataError(f"file {str(path)!r} is not an IDX file of bytes")
    shape = struct.unpack(f">{dimensions}I", content[4 : 4 + 4 * dimensions])
    array = np.frombuffer(content, dtype=np.uint8, offset=4 + 4 * dimensions)
    if array.size != np.prod(shape):
        raise DataError(f"file {str(path)!r} is cut short: {array.size} values for shape {shape}")
    return array.reshape(shape)


class _ArraysOnly(pickle.Unpickler):
    """Unpickles arrays and plain containers, and refuses whatever else could run code."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise DataError(f"a pickle names {module}.{name}, which no CIFAR file needs; refused")
        return super().find_class(module, name)


def read_cifar(path: Path) -> dict[bytes, Any]:
    """Returns the dictionary of a CIFAR pickle, keys in bytes.

    Raises:
        DataError: the file holds anything but arrays, lists, bytes and numbers.
    """
    with path.open("rb") as file:
        try:
            content = _ArraysOnly(file, encoding="bytes").load()
        except DataError:
            raise
        except Exception as error:  # damaged bytes raise whatever they happen to say
            raise DataError(f"file {str(path)!r} is damaged: {error!r}") from error
    if not isinstance(content, dict) or b"data" not in content:
        raise DataError(f"file {str(path)!r} is not a CIFAR file: it has no b'data'")
    return content
