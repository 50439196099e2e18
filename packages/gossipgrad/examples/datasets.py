"""Readers of the examples' data: CIFAR-100's python version, MNIST's idx files, image folders."""

import gzip
import pickle
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import pad
from torch.utils.data import Dataset

ENDINGS = {".jpg", ".jpeg", ".png", ".webp"}
_MEAN = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)  # ImageNet's, per channel
_SPREAD = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)


class DataError(Exception):
    """The data are not where or what they should be."""


class _ArraysOnly(pickle.Unpickler):
    """Reads what CIFAR's files hold, dictionaries of numpy arrays, and refuses any other object."""

    def find_class(self, module: str, name: str) -> Any:
        arrays = module.split(".", 1)[0] == "numpy" and name in {"_reconstruct", "ndarray", "dtype"}
        if arrays or (module, name) == ("_codecs", "encode"):  # how later Pythons pickle bytes
            return super().find_class(module, name)
        raise DataError(f"the file wants to create {module}.{name}; CIFAR-100's files do not")


def cifar100(folder: Path, part: str, labels: str = "fine") -> tuple[Tensor, Tensor]:
    """Returns images (n, 3, 32, 32) uint8 and labels (n,).

    Args:
        folder: That which holds `cifar-100-python`, or that folder itself.
        part: "train" (50,000) or "test" (10,000).
        labels: "fine" for 100 classes, "coarse" for 20.

    Raises:
        DataError: The file is missing or holds something else.
    """
    home = folder / "cifar-100-python"
    path = (home if home.is_dir() else folder) / part
    if not path.is_file():
        raise DataError(f"no file {path}; unpack cifar-100-python.tar.gz there")
    with path.open("rb") as file:
        content = _ArraysOnly(file, encoding="bytes").load()
    images = torch.from_numpy(content[b"data"].reshape(-1, 3, 32, 32).copy())
    return images, torch.tensor(content[f"{labels}_labels".encode()])


def normalise(images: Tensor) -> Tensor:
    """Returns CIFAR's bytes (n, 3, 32, 32) as floats of mean 0 and spread 1 per channel."""
    mean = torch.tensor([129.3, 124.1, 112.4]).view(3, 1, 1)
    spread = torch.tensor([68.2, 65.4, 70.4]).view(3, 1, 1)
    return images.float().sub_(mean).div_(spread)


def augment(images: Tensor) -> Tensor:
    """Returns CIFAR's bytes normalised, moved by up to 4 pixels and half of them mirrored."""
    padded = pad(normalise(images), (4, 4, 4, 4))
    down, right = torch.randint(0, 9, (2, len(images)))
    side = torch.arange(32)
    rows = (down[:, None] + side)[:, None, :, None]
    columns = right[:, None] + side
    mirrored = torch.rand(len(images)) < 0.5
    columns[mirrored] = columns[mirrored].flip(1)
    which = torch.arange(len(images))[:, None, None, None]
    return padded[which, torch.arange(3)[:, None, None], rows, columns[:, None, None, :]]


def mnist(folder: Path, part: str) -> tuple[Tensor, Tensor]:
    """Returns images (n, 1, 28, 28) uint8 and labels (n,).

    Args:
        folder: That which holds `mnist`, or that folder itself; files may be gzipped.
        part: "train" (60,000) or "test" (10,000).

    Raises:
        DataError: A file is missing or is no idx file.
    """
    home = folder / "mnist"
    home = home if home.is_dir() else folder
    stem = {"train": "train", "test": "t10k"}[part]
    images = torch.from_numpy(_idx(home, f"{stem}-images-idx3-ubyte")).unsqueeze(1)
    return images, torch.from_numpy(_idx(home, f"{stem}-labels-idx1-ubyte")).long()


def scale_digits(images: Tensor) -> Tensor:
    """Returns MNIST's bytes (n, 1, 28, 28) as floats of mean 0 and spread 1."""
    return images.float().sub_(33.3).div_(78.6)


def _idx(home: Path, name: str) -> NDArray[np.uint8]:
    plain, zipped = home / name, home / f"{name}.gz"
    if not plain.is_file() and not zipped.is_file():
        raise DataError(f"no file {plain} or {zipped.name}")
    raw = plain.read_bytes() if plain.is_file() else gzip.decompress(zipped.read_bytes())
    if raw[:3] != b"\0\0\x08":
        raise DataError(f"{name} is no idx file of bytes")
    sizes = np.frombuffer(raw, ">i4", raw[3], offset=4)
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * raw[3]).reshape(sizes).copy()


class ImageFolder(Dataset[tuple[Tensor, int]]):
    """ImageNet as it comes: one folder per class, JPEGs inside, decoded when asked for.

    For training, a crop of 8 to 100 % of the area and 3:4 to 4:3 in shape, mirrored half the time;
    else the middle, as is usual for ImageNet.

    Args:
        folder: The part's folder, such as `imagenet/train`.
        side: Pixels of a returned image's side.
        training: Whether to crop and mirror at random.

    Raises:
        DataError: pillow is missing, or the folder holds no images.
    """

    def __init__(self, folder: Path, side: int = 224, *, training: bool) -> None:
        self._open = _opener()
        self.classes = sorted(path.name for path in folder.glob("*") if path.is_dir())
        self.files = [
            (path, label)
            for label, name in enumerate(self.classes)
            for path in sorted((folder / name).iterdir())
            if path.suffix.lower() in ENDINGS
        ]
        if not self.files:
            raise DataError(
                f"no images in folders of {folder}; it should hold one folder per class"
            )
        self._side = side
        self._training = training

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        """Returns an image (3, side, side), normalised, and its label.

        Raises:
            DataError: The file cannot be decoded; the sentence names it.
        """
        path, label = self.files[index]
        try:
            with self._open(path) as image:
                pixels = self._crop(image)
        except OSError as error:
            raise DataError(f"{path} cannot be read as an image: {error}") from error
        tensor = torch.from_numpy(pixels).permute(2, 0, 1).float().div_(255)
        return tensor.sub_(_MEAN).div_(_SPREAD), label

    def _crop(self, image: Any) -> NDArray[np.uint8]:
        side = self._side
        if self._training:
            box = random_box(image.width, image.height)
            mirrored = random.random() < 0.5  # noqa: S311 - torch's workers seed it apart
        else:
            short = min(image.width, image.height) * 224 / 256
            left, top = (image.width - short) / 2, (image.height - short) / 2
            box, mirrored = (left, top, left + short, top + short), False
        # JPEGs decode at a half, quarter or eighth of their size for a fraction of the time.
        scale = max(1, int(min(box[2] - box[0], box[3] - box[1]) / side))
        full = image.size
        image.draft("RGB", (full[0] // scale, full[1] // scale))
        shrunk = image.width / full[0]
        part = image.convert("RGB").resize(
            (side, side), resample=2, box=tuple(edge * shrunk for edge in box)
        )
        pixels = np.asarray(part)
        return pixels[:, ::-1].copy() if mirrored else pixels.copy()


def random_box(width: int, height: int) -> tuple[float, float, float, float]:
    """Returns (left, top, right, bottom) of a random part that keeps 8 to 100 % of the area."""
    for _ in range(10):
        area = width * height * random.uniform(0.08, 1.0)  # noqa: S311
        shape = np.exp(random.uniform(np.log(3 / 4), np.log(4 / 3)))  # noqa: S311
        wide, high = float((area * shape) ** 0.5), float((area / shape) ** 0.5)
        if wide <= width and high <= height:
            left, top = random.uniform(0, width - wide), random.uniform(0, height - high)  # noqa: S311
            return left, top, left + wide, top + high
    return 0.0, 0.0, float(width), float(height)


def _opener() -> Callable[[Path], Any]:
    try:
        from PIL import Image  # noqa: PLC0415 - optional
    except ImportError as error:
        raise DataError("reading images needs pillow: pip install 'gossipgrad[images]'") from error
    return Image.open
