"""Fashion-MNIST and the mix of five sets."""

import gzip
from pathlib import Path

import pytest
import torch

from bocl.errors import DataError
from bocl.streams.five import load_fashion
from bocl.streams.registry import make_stream
from bocl.streams.sources import fashion_file

DEBIAN = Path("/usr/share/datasets/fashion-mnist")


@pytest.fixture
def fashion(bocl_data, tmp_path, monkeypatch):
    """A data folder that has Fashion-MNIST too, as Debian's package brings it."""
    if not DEBIAN.is_dir():
        pytest.skip(f"no {DEBIAN}: apt install dataset-fashion-mnist")
    for folder in ("mnist", "cifar-100-python"):
        (tmp_path / folder).symlink_to(Path(bocl_data) / folder)
    (tmp_path / DEBIAN.name).symlink_to(DEBIAN)
    monkeypatch.setenv("BOCL_DATA", str(tmp_path))


@pytest.mark.usefixtures("fashion")
def test_fashion_is_whole_and_standardised():
    train, test = load_fashion("train"), load_fashion("test")
    assert torch.bincount(train.targets).tolist() == [6000] * 10
    assert torch.bincount(test.targets).tolist() == [1000] * 10
    assert abs(float(train.inputs.mean())) < 1e-3
    assert abs(float(train.inputs.std()) - 1) < 1e-3


@pytest.mark.usefixtures("fashion")
def test_five_sets_share_one_shape():
    stream = make_stream("five-mix")
    assert len(stream) == 5
    for task in stream:
        assert task.train.inputs.shape[1:] == (1, 28, 28)
        assert torch.unique(task.train.targets).tolist() == list(range(task.classes))


def test_a_file_of_another_content_is_refused(tmp_path, monkeypatch):
    folder = tmp_path / "fashion-mnist"
    folder.mkdir()
    monkeypatch.setenv("BOCL_DATA", str(tmp_path))
    with pytest.raises(DataError, match="has no file 't10k-labels-idx1-ubyte'"):
        fashion_file("t10k-labels-idx1-ubyte")
    (folder / "t10k-labels-idx1-ubyte.gz").write_bytes(gzip.compress(b"something else"))
    with pytest.raises(DataError, match="not that of fashion-mnist"):
        fashion_file("t10k-labels-idx1-ubyte")
