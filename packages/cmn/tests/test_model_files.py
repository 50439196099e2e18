"""Saved models: whole or not at all, and corruption is noticed."""

import json

import numpy as np
import pytest

from cmn import atomic_files, model_files
from cmn.atomic_files import write_atomically
from cmn.errors import ModelFileError, ParameterError
from cmn.model_files import load_model, pack_ids, save_model, unpack_ids


@pytest.fixture
def folder(tmp_path):
    save_model(tmp_path / "model", {"a": 1}, {"x": np.arange(3)})
    return tmp_path / "model"


def test_what_is_saved_is_loaded(folder):
    config, arrays = load_model(folder)
    assert config["a"] == 1
    assert arrays["x"].tolist() == [0, 1, 2]


def test_saving_again_replaces_the_model_and_leaves_no_old_files(folder):
    save_model(folder, {"a": 2}, {"x": np.arange(9)})
    assert load_model(folder)[0]["a"] == 2
    assert len(list(folder.iterdir())) == 2


def test_saving_touches_no_file_of_others(folder):
    (folder / "weights-2024.csv").write_text("mine")
    (folder / "weights-old").mkdir()
    save_model(folder, {"a": 2}, {"x": np.arange(9)})
    assert (folder / "weights-2024.csv").read_text() == "mine"
    assert len(list(folder.iterdir())) == 4


def test_a_save_that_dies_midway_leaves_the_last_good_model(folder, monkeypatch):
    def full_disk(path, content):
        if path.name == "config.json":
            raise OSError(28, "No space left on device")
        write_atomically(path, content)

    monkeypatch.setattr(model_files, "write_atomically", full_disk)
    with pytest.raises(OSError, match="No space left"):
        save_model(folder, {"a": 2}, {"x": np.arange(9)})
    assert load_model(folder)[0]["a"] == 1


def test_a_failed_write_leaves_the_old_file_and_no_draft(tmp_path, monkeypatch):
    path = tmp_path / "metrics.json"
    write_atomically(path, b"old")

    def fail(_):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(atomic_files.os, "fsync", fail)
    with pytest.raises(OSError, match="Input/output"):
        write_atomically(path, b"new")
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [b"old"]


def weights_of(folder):
    return next(folder.glob("weights-*.safetensors"))


def test_changed_missing_or_foreign_files_are_noticed(folder, tmp_path):
    with pytest.raises(ModelFileError, match=r"not a saved model: .*config\.json' does not exist"):
        load_model(tmp_path / "nothing")
    config = (folder / "config.json").read_text()
    for text, sentence in [
        ("{", "is corrupt"),
        ("[]", "not of format 2"),
        (json.dumps({**json.loads(config), "format": 99}), "not of format 2"),
        (json.dumps({"format": 2}), "is corrupt"),
    ]:
        (folder / "config.json").write_text(text)
        with pytest.raises(ModelFileError, match=sentence):
            load_model(folder)
    (folder / "config.json").write_text(config)
    content = weights_of(folder).read_bytes()
    weights_of(folder).write_bytes(content[:-1])
    with pytest.raises(ModelFileError, match="weights do not match"):
        load_model(folder)
    weights_of(folder).unlink()
    with pytest.raises(ModelFileError, match="does not exist"):
        load_model(folder)


@pytest.mark.parametrize(
    "labels",
    [
        np.array([5, -1, 2**40]),
        np.array([0.5, 2.0]),
        np.array(["2026-01-01", "1969-12-31"], dtype="datetime64[D]"),
        np.array(["", "ann", "\u00e9\u6f22"], dtype=object),
    ],
)
def test_ids_are_saved_as_plain_arrays(labels):
    again = unpack_ids("users", pack_ids("users", labels))
    assert again.dtype == labels.dtype
    assert again.tolist() == labels.tolist()


def test_ids_that_a_plain_file_cannot_hold_are_refused():
    labels = np.empty(1, dtype=object)
    labels[0] = (1, 2)
    with pytest.raises(ParameterError, match=r"items has the id \(1, 2\) of type tuple; numbers"):
        pack_ids("items", labels)
