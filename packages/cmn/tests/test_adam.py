"""Adam takes the very steps of torch.optim.Adam, without importing what that imports."""

import subprocess
import sys

import torch

from cmn.adam import Adam


def test_the_steps_are_those_of_torch() -> None:
    generator = torch.Generator().manual_seed(0)
    start = [torch.randn(shape, generator=generator, dtype=torch.float64) for shape in [(4, 3), 5]]
    ours, theirs = ([w.clone().requires_grad_() for w in start] for _ in range(2))
    mine = Adam([(ours[:1], 0.1), (ours[1:], 0.02)])
    reference = torch.optim.Adam(
        [{"params": theirs[:1], "lr": 0.1}, {"params": theirs[1:], "lr": 0.02}]
    )
    for step in range(20):
        for weights in (ours, theirs):
            moving = weights if step >= 3 else weights[:1]  # the second rests at first
            torch.autograd.backward(sum(((w - step / 7) ** 4).sum() for w in moving))
        mine.step()
        reference.step()
        reference.zero_grad()
    for weight, expected, origin in zip(ours, theirs, start, strict=True):
        torch.testing.assert_close(weight, expected, rtol=1e-12, atol=1e-12)
        assert not torch.equal(weight, origin)


def test_it_does_not_import_the_compiler() -> None:
    program = (
        "import sys, torch, cmn.adam; w = torch.zeros(2, requires_grad=True); w.sum().backward(); "
        "cmn.adam.Adam([([w], 0.1)]).step(); assert 'torch._dynamo' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=100)
