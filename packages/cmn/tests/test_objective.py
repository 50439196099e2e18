"""The loss against its textbook form."""

import math

import torch

from cmn.objective import bpr_loss, weight_penalty


def test_loss_is_the_mean_negative_log_sigmoid_of_all_differences():
    positives = torch.tensor([1.0, -2.0])
    negatives = torch.tensor([[0.5, 3.0], [-2.0, 0.0]])
    differences = [0.5, -2.0, 0.0, -2.0]
    expected = sum(-math.log(1 / (1 + math.exp(-x))) for x in differences) / 4
    torch.testing.assert_close(bpr_loss(positives, negatives).item(), expected)


def test_loss_and_gradient_stay_finite_for_hopeless_pairs():
    positives = torch.tensor([-1e4], requires_grad=True)
    loss = bpr_loss(positives, torch.tensor([[1e4]]))
    loss.backward()
    assert loss.item() == 2e4
    assert positives.grad.item() == -1


def test_penalty_is_half_the_sum_of_squares():
    assert weight_penalty([torch.tensor([[1.0, 2.0]]), torch.tensor([3.0])]).item() == 7
