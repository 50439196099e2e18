"""The examples on real ranks and real files: images made here, CIFAR-100 and MNIST if there."""

import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
sys.path.insert(0, str(EXAMPLES))

import datasets  # noqa: E402
import networks  # noqa: E402

DATA = os.environ.get("GOSSIPGRAD_DATA") or os.environ.get("CMN_DATA")
needs_data = pytest.mark.skipif(
    DATA is None, reason="set GOSSIPGRAD_DATA (or CMN_DATA) to the folder of mnist and cifar-100"
)


@pytest.fixture(scope="module")
def imagenet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny ImageNet: two classes told apart by colour, JPEGs of many sizes."""
    folder = tmp_path_factory.mktemp("imagenet")
    chance = np.random.default_rng(0)
    for part, count in (("train", 16), ("val", 6)):
        for label, name in enumerate(("n01440764", "n02102040")):
            (folder / part / name).mkdir(parents=True)
            for number in range(count):
                pixels = chance.integers(0, 60, (*chance.integers(70, 200, 2), 3))
                pixels[..., 2 * label] += 190
                image = Image.fromarray(pixels.astype(np.uint8))
                image.save(folder / part / name / f"{number}.JPEG")
    return folder


def run(example: str, *arguments: object, ranks: int = 4) -> str:
    command = [
        sys.executable,
        "-m",
        "gossipgrad",
        "run",
        "-n",
        ranks,
        EXAMPLES / example,
        *arguments,
    ]
    done = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, check=False, timeout=110
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_googlenet_trains_from_jpegs_on_four_ranks(imagenet: Path) -> None:
    said = run(
        "imagenet.py", "--data", imagenet, "--network", "googlenet", "--side", 48, "--epochs", 1,
        "--batch-size", 2, "--workers", 1, "--rate", 0.01,
    )  # fmt: skip
    assert "epoch 1/1: accuracy" in said
    assert "efficiency" in said


@needs_data
def test_residual_network_trains_on_cifar_on_four_ranks() -> None:
    said = run(
        "cifar100.py", "--data", DATA, "--labels", "coarse", "--limit", 512, "--test-limit", 200,
        "--epochs", 2, "--width", 4, "--batch-size", 16,
    )  # fmt: skip
    first, second = (float(line.split("loss ")[1].split(",")[0]) for line in said.splitlines())
    assert second < first


@needs_data
def test_lenet_trains_on_mnist_on_four_ranks_and_logs_its_steps(tmp_path: Path) -> None:
    said = run(
        "mnist.py", "--data", DATA, "--limit", 1280, "--epochs", 2, "--batch-size", 16,
        "--log", tmp_path,
    )  # fmt: skip
    first, second = said.splitlines()
    assert "epoch 1/2: accuracy" in first
    assert float(second.split("loss ")[1].split(",")[0]) < float(
        first.split("loss ")[1].split(",")[0]
    )
    assert len(list(tmp_path.glob("trace-*.json"))) == 4


@needs_data
def test_cifar_and_mnist_are_read_whole() -> None:
    images, labels = datasets.cifar100(Path(DATA), "test", "coarse")
    assert images.shape == (10_000, 3, 32, 32)
    assert labels.bincount().tolist() == [500] * 20
    assert datasets.normalise(images).mean().abs() < 0.03
    digits, truth = datasets.mnist(Path(DATA), "test")
    assert digits.shape == (10_000, 1, 28, 28)
    assert truth[:5].tolist() == [7, 2, 1, 0, 4]


def test_augmented_images_are_shifted_or_mirrored_originals() -> None:
    torch.manual_seed(0)
    images = torch.randint(0, 256, (8, 3, 32, 32), dtype=torch.uint8)
    padded = nn.functional.pad(datasets.normalise(images), (4, 4, 4, 4))
    for original, found in zip(padded, datasets.augment(images), strict=True):
        windows = original.unfold(1, 32, 1).unfold(2, 32, 1).permute(1, 2, 0, 3, 4)
        same = (windows == found).flatten(2).all(2) | (windows == found.flip(2)).flatten(2).all(2)
        assert same.any()


def test_images_are_cropped_to_side_and_labelled_by_folder(imagenet: Path) -> None:
    for training in (True, False):
        folder = datasets.ImageFolder(imagenet / "train", 32, training=training)
        assert folder.classes == ["n01440764", "n02102040"]
        assert len(folder) == 32
        for index in (0, 31):
            image, label = folder[index]
            assert image.shape == (3, 32, 32)
            assert label == index // 16
            red, _, blue = image.mean((1, 2))
            assert (red > blue) == (label == 0)


def test_boxes_lie_inside_and_keep_area_and_shape() -> None:
    for _ in range(200):
        left, top, right, bottom = datasets.random_box(300, 200)
        assert 0 <= left < right <= 300
        assert 0 <= top < bottom <= 200
        assert (right - left) * (bottom - top) >= 0.079 * 300 * 200


def test_bad_data_are_named(tmp_path: Path) -> None:
    with pytest.raises(datasets.DataError, match="one folder per class"):
        datasets.ImageFolder(tmp_path, training=False)
    (tmp_path / "n1").mkdir()
    (tmp_path / "n1" / "broken.jpg").write_bytes(b"no image")
    with pytest.raises(datasets.DataError, match=r"broken\.jpg cannot be read"):
        datasets.ImageFolder(tmp_path, training=False)[0]
    with pytest.raises(datasets.DataError, match="unpack cifar-100-python"):
        datasets.cifar100(tmp_path, "train")
    with (tmp_path / "train").open("wb") as file:
        pickle.dump(Path("x"), file)
    with pytest.raises(datasets.DataError, match="wants to create pathlib"):
        datasets.cifar100(tmp_path, "train")


@pytest.mark.parametrize(
    ("network", "weights"),
    [(networks.resnet50, 25_557_032), (networks.GoogLeNet, 7_005_832)],
)
def test_networks_have_the_published_size(network, weights: int) -> None:
    built = network()
    assert sum(weight.numel() for weight in built.parameters()) == weights
    built.eval()
    with torch.no_grad():
        assert built(torch.zeros(1, 3, 64, 64)).shape == (1, 1000)
