"""Unfinished work: what a crash may leave behind is read right."""

from __future__ import annotations

import pytest
import torch

from bocl.errors import CheckpointError
from bocl.growth import Growth
from bocl.journal import Journal
from bocl.search.trials import Trial


def trial(number):
    return Trial(Growth((number, 2), reuse=number % 2 == 0), 0.5 + number / 100, 0.125)


def test_trials_are_read_back_and_a_torn_line_is_dropped(tmp_path):
    journal = Journal(tmp_path, {"task": 1})
    for number in range(1, 4):
        journal.tell(trial(number))
    path = tmp_path / "trials.jsonl"
    path.write_text(path.read_text()[:-5])
    resumed = Journal(tmp_path, {"task": 1})
    assert resumed.trials() == [trial(1), trial(2)]
    resumed.tell(trial(3))
    assert resumed.trials() == [trial(1), trial(2), trial(3)]


@pytest.mark.parametrize("stored", [True, False])
def test_tensors_are_kept_by_name_on_disk_or_in_memory(tmp_path, stored):
    journal = Journal(tmp_path if stored else None, {"task": 0})
    state = {"vector": torch.arange(3.0)}
    journal.save("final", state)
    state["vector"].zero_()
    assert torch.equal(journal.load("final")["vector"], torch.arange(3.0))
    assert journal.load("other") is None


def test_work_of_another_task_is_refused_and_finished_work_is_gone(tmp_path):
    folder = tmp_path / "work"
    Journal(folder, {"task": 1, "data": "a"})
    with pytest.raises(CheckpointError, match="another data"):
        Journal(folder, {"task": 1, "data": "b"})
    Journal(folder, {"task": 1, "data": "a"}).finish()
    assert not folder.exists()
