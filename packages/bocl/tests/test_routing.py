"""The router's moments against a slow reference in double precision."""

from __future__ import annotations

import pytest
import torch
from made_tasks import made_samples

from bocl.routing import Router
from bocl.streams.samples import Samples


@pytest.mark.parametrize("offset", [0.0, 1e3])
def test_moments_are_those_of_the_projected_samples_wherever_they_lie(offset):
    made = made_samples(3000, (10,), 3)
    samples = Samples(made.inputs + offset, made.targets)
    router = Router((10,), 6, 0)
    router.add(samples, 4)
    found = router.tasks[0]
    assert found["counts"].tolist() == [1000, 1000, 1000, 0]
    lower = torch.tril_indices(6, 6)
    for label in range(3):
        own = router.features(samples.inputs[samples.targets == label]).double()
        covariance = torch.cov(own.T, correction=0)[lower[0], lower[1]]
        torch.testing.assert_close(
            found["means"][label].double(), own.mean(0), rtol=1e-5, atol=1e-4
        )
        torch.testing.assert_close(
            found["covariances"][label].double(), covariance, rtol=1e-3, atol=1e-3
        )


def test_tasks_are_told_apart_where_all_inputs_lie_far_from_zero():
    router = Router((10,), 6, 0)
    parts = [made_samples(600, (10,), 3, seed) for seed in (0, 1)]
    for samples in parts:
        router.add(Samples(samples.inputs + 1e3, samples.targets), 3)
    for task, samples in enumerate(parts):
        found = router.task_log_odds(samples.inputs + 1e3).argmax(1)
        assert (found == task).double().mean() > 0.9
