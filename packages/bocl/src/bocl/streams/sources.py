"""Where the published files lie: in $BOCL_DATA, or fetched once by pooch and checked."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from bocl.errors import DataError
from bocl.streams.readers import read_bytes

MNIST_URL = "https://ossci-datasets.s3.amazonaws.com/mnist/"
FASHION_URL = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
CIFAR_URL = "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz"
CIFAR_MD5 = "eb9058c3a382ffc7106e4002c42a8d85"

# name: (MD5 of the publisher's gz, MD5 of the content)
MNIST_FILES = {
    "train-images-idx3-ubyte": (
        "f68b3c2dcbeaaa9fbdd348bbdeb94873",
        "6bbc9ace898e44ae57da46a324031adb",
    ),
    "train-labels-idx1-ubyte": (
        "d53e105ee54ea40749a09fcbcd1e9432",
        "a25bea736e30d166cdddb491f175f624",
    ),
    "t10k-images-idx3-ubyte": (
        "9fb629c4189551a2d022fa330f9573f3",
        "2646ac647ad5339dbf082846283269ea",
    ),
    "t10k-labels-idx1-ubyte": (
        "ec29112dd5afa0611ce80d1b7f02629c",
        "27ae3e4e09519cfbb04c329615203637",
    ),
}
FASHION_FILES = {
    "train-images-idx3-ubyte": (
        "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "f4a8712d7a061bf5bd6d2ca38dc4d50a",
    ),
    "train-labels-idx1-ubyte": (
        "25c81989df183df01b3e8a0aad5dffbe",
        "9018921c3c673c538a1fc5bad174d6f9",
    ),
    "t10k-images-idx3-ubyte": (
        "bef4ecab320f06d8554ea6380940ec79",
        "8181f5470baa50b63fa0f6fddb340f0a",
    ),
    "t10k-labels-idx1-ubyte": (
        "bb300cfdad3c16e7a12a480ee83cd310",
        "15d484375f8d13e6eb1aabb0c3f46965",
    ),
}


def _local(folder: str) -> Path | None:
    root = os.environ.get("BOCL_DATA")
    if root is None:
        return None
    path = Path(root) / folder
    if not path.is_dir():
        raise DataError(f"BOCL_DATA is {root!r}, which has no folder {folder!r}")
    return path


def mnist_file(name: str) -> Path:
    """Returns the path of one of MNIST's four files, its content checked by MD5.

    Raises:
        DataError: `$BOCL_DATA/mnist` lacks the file, or the content is not MNIST's.
    """
    return _idx_file("mnist", MNIST_URL, MNIST_FILES, name)


def fashion_file(name: str) -> Path:
    """Returns the path of one of Fashion-MNIST's four files, its content checked by MD5.

    Raises:
        DataError: `$BOCL_DATA/fashion-mnist` lacks the file, or the content is another.
    """
    return _idx_file("fashion-mnist", FASHION_URL, FASHION_FILES, name)


def _idx_file(dataset: str, url: str, files: dict[str, tuple[str, str]], name: str) -> Path:
    gz_md5, content_md5 = files[name]
    folder = _local(dataset)
    if folder is None:
        import pooch  # noqa: PLC0415  only who downloads pays for it

        fetched = pooch.retrieve(
            f"{url}{name}.gz", f"md5:{gz_md5}", fname=f"{name}.gz", path=_cache() / dataset
        )
        return Path(fetched)
    for path in (folder / f"{name}.gz", folder / name):
        if path.is_file():
            content = read_bytes(path)
            if hashlib.md5(content, usedforsecurity=False).hexdigest() != content_md5:
                raise DataError(f"file {str(path)!r} is not that of {dataset}: its MD5 differs")
            return path
    raise DataError(f"folder {str(folder)!r} has no file {name!r}, gzipped or not")


def cifar_file(name: str) -> Path:
    """Returns the path of CIFAR-100's `train`, `test` or `meta`."""
    folder = _local("cifar-100-python")
    if folder is None:
        import pooch  # noqa: PLC0415

        members = pooch.retrieve(
            CIFAR_URL, f"md5:{CIFAR_MD5}", path=_cache(), processor=pooch.Untar()
        )
        return next(Path(member) for member in members if Path(member).name == name)
    path = folder / name
    if not path.is_file():
        raise DataError(f"folder {str(folder)!r} has no file {name!r}")
    return path


def _cache() -> Path:
    import pooch  # noqa: PLC0415

    return Path(pooch.os_cache("bocl"))
