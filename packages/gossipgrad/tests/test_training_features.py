"""What users do to a model on one device works under gossip, too."""

import copy
import warnings

import pytest
import torch
from fleet import run_ranks
from torch import nn

from gossipgrad import GossipDataParallel


class Tied(nn.Module):
    """An embedding that is also the output layer, and a layer that is never called."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(7, 5)
        self.output = nn.Linear(5, 7, bias=False)
        self.output.weight = self.embedding.weight
        self.unused = nn.Linear(3, 3)

    def forward(self, tokens):
        return self.output(self.embedding(tokens))


def tied(seed):
    generator = torch.Generator().manual_seed(seed)
    model = Tied()
    with torch.no_grad():
        for value in model.parameters():
            value.copy_(torch.randn(value.shape, generator=generator))
    return model


def test_shared_parameters_stay_one_and_unused_ones_are_averaged():
    def body(transport):
        inner = tied(transport.rank)
        start = inner.unused.weight.detach().clone()
        model = GossipDataParallel(
            inner, transport=transport, mode="sync", wire="fp32", broadcast=False
        )
        optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
        for _ in range(6):
            optimizer.zero_grad()
            model(torch.arange(7)).square().sum().backward()
            assert inner.unused.weight.grad is None
            optimizer.step()
        model.consensus()
        assert inner.output.weight is inner.embedding.weight
        model.close()
        return start, inner.unused.weight.detach().clone(), inner.embedding.weight.detach().clone()

    rows = run_ranks(3, body)
    mean = sum(start for start, _, _ in rows) / 3
    for _, unused, shared in rows:
        torch.testing.assert_close(unused, mean, rtol=0, atol=1e-6)
        assert torch.equal(shared, rows[0][2])


def test_a_step_that_the_gradient_scaler_skips_is_made_up_for():
    """Autocast and GradScaler as in torch's recipe; one rank's gradients overflow once."""

    def body(transport):
        inner = nn.Linear(4, 2)
        with torch.no_grad():
            inner.weight.fill_(0.5)
            inner.bias.zero_()
        model = GossipDataParallel(inner, transport=transport, mode="sync", silence_s=5)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
        scaler = torch.amp.GradScaler("cpu", init_scale=8.0)
        for step in range(6):
            optimizer.zero_grad()
            with torch.autocast("cpu", dtype=torch.bfloat16):
                output = model(torch.ones(3, 4))
            assert output.dtype == torch.bfloat16
            loss = output.float().square().mean()
            scaler.scale(loss).backward()
            if transport.rank == 1 and step == 2:
                inner.weight.grad.fill_(torch.inf)
            scaler.unscale_(optimizer)
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            scaler.step(optimizer)
            scaler.update()
        skipped = scaler.get_scale()
        model.consensus()
        model.close()
        return model.steps, skipped, inner.weight.detach().clone()

    rows = run_ranks(2, body)
    assert [row[0] for row in rows] == [6, 5]
    assert [row[1] for row in rows] == [8.0, 4.0]
    assert torch.equal(rows[0][2], rows[1][2])
    assert bool(rows[0][2].isfinite().all())


@pytest.mark.parametrize("inside", [True, False])
def test_compiled_models_train_as_uncompiled_ones(inside):
    """torch.compile within or around the wrapper; aot_eager needs no C++ compiler."""
    start = tied(0)

    def train(compiled):
        def body(transport):
            inner = copy.deepcopy(start)
            if compiled and inside:
                inner = torch.compile(inner, backend="aot_eager")
            model = GossipDataParallel(inner, transport=transport, mode="sync", wire="fp32")
            called = torch.compile(model, backend="aot_eager") if compiled and not inside else model
            optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
            for _ in range(3):
                optimizer.zero_grad()
                called(torch.arange(7)).square().mean().backward()
                optimizer.step()
            model.consensus()
            model.close()
            return model.steps, torch.cat([value.detach().flatten() for value in start_of(inner)])

        return body

    def start_of(inner):
        return list(inner.parameters())

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of torch's own compiler
        (steps, compiled), *_ = run_ranks(1, train(compiled=True))
    (_, plain), *_ = run_ranks(1, train(compiled=False))
    assert steps == 3
    torch.testing.assert_close(compiled, plain)
