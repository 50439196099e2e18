"""Adam against torch's own."""

import subprocess
import sys

import torch

from cmn.adam import Adam


def test_steps_equal_those_of_torch_also_for_a_weight_that_joins_late():
    generator = torch.Generator().manual_seed(0)
    data = torch.randn(30, 4, generator=generator).double()
    ours = [torch.ones(4).double().requires_grad_(), torch.zeros(1).double().requires_grad_()]
    theirs = [weight.detach().clone().requires_grad_() for weight in ours]
    adam = Adam(zip(ours, (0.1, 0.02), strict=True))
    groups = [{"params": [theirs[0]], "lr": 0.1}, {"params": [theirs[1]], "lr": 0.02}]
    optimizer = torch.optim.Adam(groups)

    def loss(weights, step):
        late = weights[1].square() - 3 * weights[1] if step >= 3 else 0
        return (data[step] @ weights[0]).square().sum() + late

    for step in range(12):
        adam.minimise(loss(ours, step).sum())
        optimizer.zero_grad()
        loss(theirs, step).sum().backward()
        optimizer.step()
        for mine, other in zip(ours, theirs, strict=True):
            torch.testing.assert_close(mine, other, rtol=1e-12, atol=1e-12)


def test_training_does_not_import_torchs_compiler():
    program = (
        "import sys, numpy as np; from scipy import sparse; from cmn import CMN\n"
        "matrix = sparse.csr_array(np.random.default_rng(0).random((20, 20)) < 0.3)\n"
        "CMN(embedding_dim=2, epochs=1, pretrain_epochs=1).fit(matrix)\n"
        "assert 'torch._dynamo' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
