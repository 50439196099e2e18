"""Which task, which class, without being told: a Gaussian per class on projected inputs.

Of every class of every task the learner keeps a count, a mean and a covariance of k numbers per
sample, no example. The k numbers are a fixed random projection of the inputs; images of three
channels first go through random patches. A sample's class is judged by Gaussian likelihood, its
task by the sum over the task's classes. (Class prototypes with covariances, shrunk towards a common
one, are the idea of FeCAM, Goswami et al. 2023.)
"""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from bocl import seeds

if TYPE_CHECKING:
    from torch import Tensor

    from bocl.settings import Settings
    from bocl.streams.samples import Samples

PATCH, STRIDE, FILTERS = 6, 2, 128
CHUNK = 1000
FLOOR = 1e-3  # of the mean variance, added to every direction


class Router:
    """Gaussians of all classes of all tasks.

    Args:
        input_shape: of one sample.
        features: k, projections per sample; at most as many as there are inputs.
        seed: of the projections.
    """

    def __init__(self, input_shape: tuple[int, ...], features: int, seed: int) -> None:
        generator = seeds.generator("router", seed)
        self._filters: Tensor | None = None
        size = math.prod(input_shape)
        if len(input_shape) == 3 and input_shape[0] == 3 and input_shape[1] >= 2 * PATCH:
            filters = torch.randn(FILTERS, 3, PATCH, PATCH, generator=generator)
            self._filters = filters - filters.mean((1, 2, 3), keepdim=True)
            size = 4 * FILTERS
        mixed = torch.randn(size, min(features, size), generator=generator)
        self._projection = torch.linalg.qr(mixed)[0]
        self.tasks: list[dict[str, Tensor]] = []
        self._factors: list[Tensor] | None = None

    def features(self, inputs: Tensor) -> Tensor:
        """Returns (batch, k)."""
        if self._filters is not None:
            found = functional.relu(
                functional.conv2d(inputs, self._filters, stride=STRIDE) / PATCH - 0.5
            )
            inputs = functional.adaptive_avg_pool2d(found, 2).sqrt()
        return inputs.flatten(1) @ self._projection

    @torch.no_grad()
    def add(self, samples: Samples, classes: int) -> None:
        """Adds a task's classes."""
        size = self._projection.shape[1]
        counts, means = torch.zeros(classes), torch.zeros(classes, size)
        squares = torch.zeros(classes, size, size)
        for rows in torch.split(torch.arange(len(samples)), CHUNK):
            projected, labels = self.features(samples.inputs[rows]), samples.targets[rows]
            for label in torch.unique(labels).tolist():
                part = projected[labels == label]
                mean, before, count = part.mean(0), float(counts[label]), len(part)
                # of centred parts, joined pairwise: squares of what lies far from 0 would cancel
                centred, step = part - mean, mean - means[label]
                share = count / (before + count)
                squares[label] += centred.T @ centred + before * share * torch.outer(step, step)
                means[label] += share * step
                counts[label] += count
        covariances = squares / counts.clamp(min=1)[:, None, None]
        lower = torch.tril_indices(size, size)
        self.tasks.append(
            {"counts": counts, "means": means, "covariances": covariances[:, lower[0], lower[1]]}
        )
        self._factors = None

    @torch.no_grad()
    def scores(self, inputs: Tensor) -> list[Tensor]:
        """Returns, for each task, log likelihoods (batch, classes) of its classes."""
        if self._factors is None:
            self._factors = [self._factor(task) for task in self.tasks]
        projected = torch.cat([self.features(part) for part in torch.split(inputs, CHUNK)])
        result = []
        for task, factors in zip(self.tasks, self._factors, strict=True):
            columns = []
            for count, mean, factor in zip(task["counts"], task["means"], factors, strict=True):
                white = torch.linalg.solve_triangular(factor, (projected - mean).T, upper=False)
                volume = factor.diagonal().log().sum()
                absent = torch.where(count > 0, 0.0, -torch.inf)
                columns.append(absent - 0.5 * white.square().sum(0) - volume)
            result.append(torch.stack(columns, dim=1))
        return result

    def _factor(self, task: dict[str, Tensor]) -> Tensor:
        """Returns Cholesky factors (classes, k, k), the more shrunk the fewer samples."""
        size = self._projection.shape[1]
        lower = torch.tril_indices(size, size)
        full = torch.zeros(len(task["means"]), size, size)
        full[:, lower[0], lower[1]] = task["covariances"]
        full[:, lower[1], lower[0]] = task["covariances"]
        weights = task["counts"] / task["counts"].sum()
        common = (weights[:, None, None] * full).sum(0)
        level = common.diagonal().mean().clamp(min=1e-6)
        target = 0.5 * common + 0.5 * level * torch.eye(size)
        share = (size / (size + task["counts"]))[:, None, None]
        mixed = (1 - share) * full + share * target + FLOOR * level * torch.eye(size)
        return torch.linalg.cholesky(mixed.double()).float()

    def task_log_odds(self, inputs: Tensor) -> Tensor:
        """Returns log probabilities (batch, tasks) of each sample's task, all equally likely."""
        whole = [torch.logsumexp(part, dim=1) for part in self.scores(inputs)]
        return torch.log_softmax(torch.stack(whole, dim=1), dim=1)

    def tensors(self) -> dict[str, Tensor]:
        """Returns what has to be stored."""
        return {
            f"{name}.{number}": tensor
            for number, task in enumerate(self.tasks)
            for name, tensor in task.items()
        }

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Takes up stored moments."""
        names = ("counts", "means", "covariances")
        self.tasks = [
            {name: tensors[f"{name}.{number}"] for name in names}
            for number in range(len(tensors) // len(names))
        ]
        self._factors = None


def with_task(
    router: Router | None,
    input_shape: tuple[int, ...],
    settings: Settings,
    samples: Samples,
    classes: int,
) -> Router | None:
    """Returns a router that knows a task more, None where settings ask for none.

    Args:
        router: of earlier tasks, which stays as it is; None before the first.
        input_shape: of one sample.
        settings: say how many features it has, and its seed.
        samples: of the new task.
        classes: of the new task.
    """
    if settings.routing == 0:
        return None
    if router is None:
        more = Router(input_shape, settings.routing, settings.seed)
    else:
        more = copy.copy(router)
        more.tasks = list(router.tasks)
    more.add(samples, classes)
    return more
