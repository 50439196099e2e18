"""Adam against torch's own, RMSProp against loops over TensorFlow 1's formula."""

import math
import subprocess
import sys

import numpy as np
import torch

from cmn.optimisers import Adam, LookedUp, RMSProp


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


def test_rmsprop_moves_only_rows_that_were_looked_up_by_tensorflows_formula():
    generator = np.random.default_rng(0)
    weight = torch.from_numpy(generator.normal(size=(4, 3))).requires_grad_()
    expected, rate = weight.detach().numpy().copy(), 0.05
    square, momentum = np.ones((4, 3)), np.zeros((4, 3))
    optimiser = RMSProp([(weight, rate)])
    for rows in ([0, 2], [2], [2, 3], [0]):
        factors = generator.normal(size=(len(rows), 3))
        factors[0, 0] = 0.0  # looked up, without a gradient: its momentum still moves it
        looked_up = LookedUp(weight, torch.tensor(rows))
        loss = (looked_up.values * torch.from_numpy(factors)).sum()
        optimiser.minimise(loss, {weight: looked_up})
        for row, gradient in zip(rows, factors, strict=True):
            for k, g in enumerate(gradient):
                square[row, k] = 0.9 * square[row, k] + 0.1 * g * g
                step = rate * g / math.sqrt(square[row, k] + 1e-10)
                momentum[row, k] = 0.9 * momentum[row, k] + step
                expected[row, k] -= momentum[row, k]
    np.testing.assert_allclose(weight.detach().numpy(), expected, rtol=1e-12)


def test_rmsprop_moves_all_rows_of_a_weight_that_is_not_looked_up():
    weight = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    optimiser = RMSProp([(weight, 1.0)])
    optimiser.minimise((weight * torch.tensor([1.0, 0.0])).sum())
    np.testing.assert_allclose(weight.detach(), [-1.0, 0.0], rtol=1e-9)


def test_clipping_bounds_each_weights_gradient_by_itself():
    far, near = (torch.zeros(2, dtype=torch.float64, requires_grad=True) for _ in range(2))
    optimiser = RMSProp([(far, 1.0), (near, 1.0)], clip_norm=5.0)
    optimiser.minimise((far * torch.tensor([30.0, 40.0])).sum() + (near * 0.3).sum())
    square = 0.9 + 0.1 * np.array([9.0, 16.0])
    np.testing.assert_allclose(far.detach(), -np.array([3.0, 4.0]) / np.sqrt(square), rtol=1e-9)
    np.testing.assert_allclose(near.detach(), [-0.3 / math.sqrt(0.909)] * 2, rtol=1e-9)


def test_a_restored_optimiser_takes_the_same_next_step():
    for kind in (Adam, RMSProp):
        weights = [torch.ones(3, requires_grad=True), torch.ones(3, requires_grad=True)]
        first, second = (kind([(weight, 0.1)]) for weight in weights)
        first.minimise((weights[0] ** 3).sum())
        second.restore(first.state())
        with torch.no_grad():
            weights[1].copy_(weights[0])
        for weight, optimiser in zip(weights, (first, second), strict=True):
            optimiser.minimise((weight**3).sum())
        assert torch.equal(*weights)


def test_training_does_not_import_torchs_compiler():
    program = (
        "import sys, numpy as np; from scipy import sparse; from cmn import CMN\n"
        "matrix = sparse.csr_array(np.random.default_rng(0).random((20, 20)) < 0.3)\n"
        "CMN(embedding_dim=2, epochs=1, pretrain_epochs=1).fit(matrix)\n"
        "assert 'torch._dynamo' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
