"""A learner in its folder: crashes between two steps of storing, full disks, folders of others."""

from __future__ import annotations

import shutil

import pytest
import torch
from made_tasks import made_samples

from bocl import BOCL, files
from bocl.errors import CheckpointError

SMALL = {"trunk": "mlp", "base": (8, 6), "epochs": 2, "batch": 16, "rate": 0.02, "routing": 20}
SEARCH = {"trials": 3, "search": "random"}
PARTS = [made_samples(120, seed=seed) for seed in range(3)]


def small(folder=None, **changes):
    return BOCL(folder, **(SMALL | SEARCH | changes))


def weights(learner):
    return [pair for block in learner.network.blocks for pair in sorted(block.tensors().items())]


def same(left, right):
    return all(
        a == b and torch.equal(one, two)
        for (a, one), (b, two) in zip(weights(left), weights(right), strict=True)
    )


@pytest.mark.parametrize("removed", [(), ("identity.json",), ("identity.json", "trials.jsonl")])
def test_killed_while_finished_work_is_removed_the_next_task_is_learned_alike(
    tmp_path, monkeypatch, removed
):
    straight = small()
    for samples in PARTS:
        straight.fit_task(samples)

    def killed(folder):
        for name in removed:
            (folder / name).unlink()
        raise KeyboardInterrupt

    small(tmp_path).fit_task(PARTS[0])
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            small(tmp_path).fit_task(PARTS[1])
    learner = small(tmp_path)
    assert learner.tasks == 2
    learner.fit_task(PARTS[2])
    assert same(learner, straight)


def test_a_task_that_could_not_be_stored_is_not_learned_and_can_be_again(tmp_path, monkeypatch):
    learner = small(tmp_path).fit_task(PARTS[0])
    write = files.write

    def full(path, content):
        if path.name == "001.safetensors":
            raise OSError(28, "No space left on device")
        write(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(files, "write", full)
        with pytest.raises(OSError, match="No space left"):
            learner.fit_task(PARTS[1])
    assert learner.tasks == len(learner.network) == len(learner.router.tasks) == 1
    learner.fit_task(PARTS[1])
    assert same(learner, small().fit_task(PARTS[0]).fit_task(PARTS[1]))
    assert same(BOCL.load(tmp_path), learner)


def test_a_learner_is_saved_over_what_it_was_and_not_over_another(tmp_path):
    learner = small().fit_task(PARTS[0])
    learner.save(tmp_path)
    learner.fit_task(PARTS[1]).save(tmp_path)
    with pytest.raises(CheckpointError, match="holds another learner, which differs in task 0"):
        small(seed=1).fit_task(PARTS[0]).save(tmp_path)
    with pytest.raises(CheckpointError, match="differs in task 1"):
        small().fit_task(PARTS[0]).save(tmp_path)
    assert same(BOCL.load(tmp_path), learner)
