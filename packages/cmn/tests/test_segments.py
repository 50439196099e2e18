"""Segment products and softmax against loops, and their gradients against finite differences."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.autograd import gradcheck, gradgradcheck

from cmn.segments import Ragged, dots, scatter, segment_softmax, sums

LENGTHS = [3, 0, 1, 2, 0]  # empty in the middle, empty last, a single member


def ragged(lengths: list[int], rows: int, seed: int = 0) -> Ragged:
    generator = np.random.default_rng(seed)
    members = [generator.permutation(rows)[:length] for length in lengths]
    return Ragged.from_lengths(
        torch.from_numpy(np.concatenate([*members, np.empty(0, np.int64)]).astype(np.int64)),
        torch.tensor(lengths),
    )


def doubles(*shape: int, seed: int = 0) -> torch.Tensor:
    values = np.random.default_rng(seed).normal(size=shape)
    return torch.from_numpy(values).requires_grad_()


def test_dots_sums_and_scatter_equal_loops():
    lists = ragged(LENGTHS, rows=6)
    a, c, w = doubles(5, 4), doubles(6, 4, seed=1), doubles(6, seed=2)
    expected_sums, expected_scatter = torch.zeros(5, 4).double(), torch.zeros(6, 4).double()
    expected_dots = []
    pairs = zip(lists.segments.tolist(), lists.members.tolist(), strict=True)
    for s, (b, v) in enumerate(pairs):
        expected_dots.append((a[b] @ c[v]).item())
        expected_sums[b] += w[s].detach() * c[v].detach()
        expected_scatter[v] += w[s].detach() * a[b].detach()
    torch.testing.assert_close(dots(a, c, lists).detach(), torch.tensor(expected_dots).double())
    torch.testing.assert_close(sums(w, c, lists).detach(), expected_sums)
    torch.testing.assert_close(scatter(w, a, lists, 6).detach(), expected_scatter)


def test_first_and_second_gradients_of_the_products_are_right():
    lists = ragged(LENGTHS, rows=6)
    a, c, w = doubles(5, 2), doubles(6, 2, seed=1), doubles(6, seed=2)
    for check in (gradcheck, gradgradcheck):
        assert check(lambda a, c: dots(a, c, lists), (a, c))
        assert check(lambda w, c: sums(w, c, lists), (w, c))
        assert check(lambda w, a: scatter(w, a, lists, 6), (w, a))


def test_first_and_second_gradients_of_the_softmax_are_right():
    lists = ragged(LENGTHS, rows=6)
    logits = doubles(6)
    assert gradcheck(lambda q: segment_softmax(q, lists.segments, 5), (logits,))
    assert gradgradcheck(lambda q: segment_softmax(q, lists.segments, 5), (logits,))


@given(st.lists(st.integers(0, 7), min_size=1, max_size=9), st.integers(0, 99))
def test_softmax_equals_the_dense_softmax_of_each_segment(lengths, seed):
    lists = ragged(lengths, rows=7, seed=seed)
    logits = doubles(sum(lengths), seed=seed).detach()
    weights = segment_softmax(logits, lists.segments, len(lengths))
    start = 0
    for length in lengths:
        part = logits[start : start + length].numpy()
        powers = np.exp(part)
        np.testing.assert_allclose(
            weights[start : start + length].numpy(), powers / powers.sum(), atol=1e-14
        )
        start += length


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_softmax_stays_finite_and_sums_to_one_for_huge_logits(dtype):
    logits = torch.tensor([1e4, -1e4, 1e4, 3e30, -3e30, -1e30], dtype=dtype, requires_grad=True)
    segments = torch.tensor([0, 0, 0, 1, 1, 3])
    weights = segment_softmax(logits, segments, 4)
    torch.testing.assert_close(weights, torch.tensor([0.5, 0, 0.5, 1, 0, 1], dtype=dtype))
    (weights * torch.arange(6)).sum().backward()
    assert torch.isfinite(logits.grad).all()


def test_without_strikes_each_segments_own_user_and_no_other():
    lists = Ragged.from_lengths(torch.tensor([1, 2, 2, 3, 1]), torch.tensor([2, 2, 1]))
    rest = lists.without(torch.tensor([2, 1, 1]))
    assert rest.members.tolist() == [1, 2, 3]
    assert rest.segments.tolist() == [0, 1, 1]
    assert rest.offsets.tolist() == [0, 1, 3]
