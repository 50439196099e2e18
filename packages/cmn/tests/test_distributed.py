"""Several processes under torchrun end with the weights of one, but for rounding."""

import json
import subprocess
import sys

import numpy as np
from scipy import sparse

from cmn.recommender import CMN

SETTINGS = {
    "embedding_dim": 6,
    "pretrain_epochs": 2,
    "pretrain_rate": 0.02,
    "epochs": 3,
    "learning_rate": 0.01,
    "batch_size": 64,
    "patience": 9,
    "l2": 0.0,
}
PROGRAM = """
import json, sys
import numpy as np
import torch
from scipy import sparse
from cmn import CMN, distributed
torch.set_num_threads(1)
rank = distributed.join()
for protocol in ("default", "paper"):
    model = CMN(protocol=protocol, **json.loads(sys.argv[1])).fit(sparse.load_npz("matrix.npz"))
    if rank == 0:
        np.save(f"{protocol}.npy", model.score(np.arange(60)))
distributed.leave()
"""


def test_two_processes_learn_what_one_learns(blocks, tmp_path):
    sparse.save_npz(tmp_path / "matrix.npz", blocks)
    (tmp_path / "program.py").write_text(PROGRAM)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command = [*torchrun, "--nproc-per-node", "2", "program.py", json.dumps(SETTINGS)]
    subprocess.run(command, cwd=tmp_path, check=True, timeout=100, capture_output=True)
    for protocol in ("default", "paper"):
        alone = CMN(protocol=protocol, **SETTINGS).fit(blocks).score(np.arange(60))
        together = np.load(tmp_path / f"{protocol}.npy")
        assert alone.std() > 0.01
        np.testing.assert_allclose(together, alone, rtol=0, atol=0.01 * alone.std())
