"""Streams: real files read right, tasks cut as said."""

from __future__ import annotations

import gzip
import pickle
import struct

import numpy as np
import pytest
import torch

from bocl.errors import DataError
from bocl.streams import cifar, mnist
from bocl.streams.readers import read_cifar, read_idx
from bocl.streams.registry import STREAMS, make_stream
from bocl.streams.rotation import rotate
from bocl.streams.samples import Samples, split_validation


def test_mnist_has_the_publishers_counts(bocl_data):  # noqa: ARG001  says that data are there
    train, test = mnist.load("train"), mnist.load("test")
    counts = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert torch.bincount(train.targets).tolist() == counts
    assert torch.bincount(test.targets)[:3].tolist() == [980, 1135, 1032]
    assert abs(float(train.inputs.mean())) < 1e-3
    assert float(train.inputs.std()) == pytest.approx(1.0, abs=1e-3)


def test_permuted_mnist_keeps_the_first_task_and_shuffles_the_others(bocl_data):  # noqa: ARG001
    stream = make_stream("permuted-mnist", 3, seed=1)
    first, second = stream[0], stream[1]
    assert torch.equal(first.test.inputs, mnist.load("test").inputs)
    assert not torch.equal(second.test.inputs, first.test.inputs)
    pixels = [part.test.inputs[:20].flatten(1).sort(1).values for part in (first, second)]
    assert torch.equal(*pixels)
    assert torch.equal(
        make_stream("permuted-mnist", 3, seed=1)[2].test.inputs, stream[2].test.inputs
    )


def test_split_cifar_has_ten_fresh_classes_a_task(bocl_data):  # noqa: ARG001
    stream = make_stream("split-cifar100", 10)
    task = stream[3]
    assert task.train.inputs.shape == (5000, 3, 32, 32)
    assert torch.bincount(task.train.targets).tolist() == [500] * 10
    assert torch.bincount(task.test.targets).tolist() == [100] * 10
    order = np.random.RandomState(1993).permutation(100)
    whole, _ = cifar.load("test")
    assert int((whole.targets == int(order[30])).sum()) == 100


def test_superclasses_are_five_classes_each(bocl_data):  # noqa: ARG001
    task = make_stream("superclass-cifar100", 2)[1]
    assert (task.classes, len(task.train), len(task.test)) == (5, 2500, 500)


def test_the_mix_takes_turns_and_split_mnist_starts_labels_from_zero(bocl_data):  # noqa: ARG001
    assert [mix.name for mix in make_stream("mnist-mix", 4)] == ["P1", "R1", "P2", "R2"]
    task = make_stream("split-mnist")[1]
    assert torch.unique(task.train.targets).tolist() == [0, 1]


def test_digits_need_no_data():
    stream = make_stream("permuted-digits", 2)
    assert stream[1].train.inputs.shape[1:] == (1, 8, 8)
    assert len(stream[0].train) + len(stream[0].test) == 1797
    assert [task.name for task in stream[1:]] == ["permutation 1"]


def test_four_quarter_turns_are_the_identity():
    images = torch.randn(2, 3, 8, 8)
    turned = images
    for _ in range(4):
        turned = rotate(turned, 90)
    torch.testing.assert_close(turned, images, rtol=1e-4, atol=1e-4)
    assert torch.allclose(rotate(images, 90), torch.rot90(images, 1, (2, 3)), atol=1e-4)


def test_validation_takes_each_class_in_equal_share():
    samples = Samples(torch.arange(200.0)[:, None], torch.arange(200) % 4)
    train, held = split_validation(samples, 0.1, seed=3)
    assert torch.bincount(held.targets).tolist() == [5, 5, 5, 5]
    assert sorted(torch.cat([train.inputs, held.inputs]).flatten().tolist()) == list(range(200))


@pytest.mark.parametrize("packed", [False, True])
def test_idx_files_are_read_and_cut_ones_refused(tmp_path, packed):
    content = struct.pack(">HBB2I", 0, 8, 2, 2, 3) + bytes(range(6))
    path = tmp_path / "images"
    path.write_bytes(gzip.compress(content) if packed else content)
    assert read_idx(path).tolist() == [[0, 1, 2], [3, 4, 5]]
    path.write_bytes(content[:-1])
    with pytest.raises(DataError, match="cut short"):
        read_idx(path)


def test_damaged_files_are_named(tmp_path):
    packed = tmp_path / "images.gz"
    packed.write_bytes(gzip.compress(bytes(range(99)))[:-9])
    with pytest.raises(DataError, match=r"images.gz' is damaged"):
        read_idx(packed)
    whole = pickle.dumps({b"data": [1, 2, 3]})
    for content in (b"", whole[: len(whole) // 2], b"text"):
        (tmp_path / "train").write_bytes(content)
        with pytest.raises(DataError, match="train' is damaged"):
            read_cifar(tmp_path / "train")


def test_a_pickle_that_would_run_code_is_refused(tmp_path):
    path = tmp_path / "train"
    path.write_bytes(pickle.dumps({b"data": print}))
    with pytest.raises(DataError, match="refused"):
        read_cifar(path)


def test_unknown_streams_wrong_counts_and_missing_files_get_one_sentence(tmp_path, monkeypatch):
    with pytest.raises(DataError, match="stream 'mnist' is unknown"):
        make_stream("mnist")
    with pytest.raises(DataError, match="tasks is 11; split-cifar100 has 1 to 10"):
        make_stream("split-cifar100", 11)
    monkeypatch.setenv("BOCL_DATA", str(tmp_path))
    mnist.load.cache_clear()
    with pytest.raises(DataError, match="no folder 'mnist'"):
        make_stream("permuted-mnist", 2)[0]


def test_every_stream_names_its_trunk():
    assert all(kind.trunk for kind in STREAMS.values())


def test_held_out_samples_stand_in_the_tests_place_and_are_not_trained_on():
    stream = make_stream("permuted-digits", 2)
    task, judged = stream[1], stream.held_out(0.25, seed=3)[1]
    assert (judged.name, judged.classes) == (task.name, task.classes)
    assert len(judged.train) + len(judged.test) == len(task.train)
    assert len(judged.test) == pytest.approx(len(task.train) / 4, abs=10)
    parts = [judged.train.joined(judged.test).inputs, task.train.inputs]
    ours, theirs = (part.flatten(1).double().sum(0) for part in parts)
    assert torch.allclose(ours, theirs), "each training sample is on one side or the other"
