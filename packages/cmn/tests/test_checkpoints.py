"""A training that is killed, or whose disk is full, ends with the weights it would have had."""

import json
import os
import resource
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch
from scipy import sparse

from cmn.checkpoints import FILE, Checkpoints, Progress
from cmn.errors import ModelFileError
from cmn.recommender import CMN

SETTINGS = {"embedding_dim": 6, "pretrain_epochs": 3, "epochs": 4, "patience": 9, "seed": 4}
PROGRAM = """
import json, sys
import torch
from scipy import sparse
from cmn import CMN
torch.set_num_threads(1)
report = lambda epoch: print(epoch.phase, epoch.number, flush=True)
model = CMN(**json.loads(sys.argv[1]))
model.fit(sparse.load_npz("matrix.npz"), report=report, checkpoint="state")
"""


@pytest.mark.parametrize(
    ("protocol", "last_words"),
    [("default", "pretrain 2"), ("default", "train 1"), ("paper", "train 2")],
)
def test_a_killed_training_continues_to_the_same_weights(blocks, tmp_path, protocol, last_words):
    sparse.save_npz(tmp_path / "matrix.npz", blocks)
    settings = {**SETTINGS, "protocol": protocol}
    command = [sys.executable, "-c", PROGRAM, json.dumps(settings)]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            if line.strip() == last_words:
                os.kill(process.pid, signal.SIGKILL)
                break
    assert process.returncode == -signal.SIGKILL
    rest, whole = [], []
    again = CMN(**settings).fit(blocks, report=rest.append, checkpoint=tmp_path / "state")
    straight = CMN(**settings).fit(blocks, report=whole.append)
    assert 0 < len(rest) < len(whole)
    users = np.arange(60)
    np.testing.assert_array_equal(again.score(users), straight.score(users))


def test_a_full_disk_leaves_the_last_good_checkpoint(tmp_path):
    checkpoints = Checkpoints(tmp_path, "mine")
    checkpoints.save(Progress({"number": 1}, {"weight": torch.ones(3)}))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    old = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
        with pytest.raises(OSError, match="too large"):
            checkpoints.save(Progress({"number": 2}, {"weight": torch.ones(9999)}))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, old)
    assert checkpoints.load().facts == {"number": 1}
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def test_a_checkpoint_of_another_training_or_a_damaged_one_is_refused(blocks, tmp_path):
    quick = {"embedding_dim": 4, "epochs": 1, "pretrain_epochs": 0}
    CMN(**quick).fit(blocks, checkpoint=tmp_path)
    with pytest.raises(ModelFileError, match="other hyperparameters or data"):
        CMN(**quick, l2=0.5).fit(blocks, checkpoint=tmp_path)
    (tmp_path / FILE).write_bytes((tmp_path / FILE).read_bytes()[:-5])
    with pytest.raises(ModelFileError, match="is corrupt"):
        CMN(**quick).fit(blocks, checkpoint=tmp_path)


def test_a_finished_training_is_not_run_again(blocks, tmp_path):
    quick = {"embedding_dim": 4, "epochs": 2, "pretrain_epochs": 1}
    first = CMN(**quick).fit(blocks, checkpoint=tmp_path)
    heard = []
    again = CMN(**quick).fit(blocks, report=heard.append, checkpoint=tmp_path)
    assert heard == []
    assert again.best_epoch_ == first.best_epoch_
    np.testing.assert_array_equal(again.score([0, 1]), first.score([0, 1]))
