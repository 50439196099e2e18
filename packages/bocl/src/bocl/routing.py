"""Which task, which class, without being told: ridge regression on random features, from sums.

Of every task the learner keeps sums, no example: G = sum phi phi^T over all samples and, for each
(task, class), sum phi. From them the ridge classifier over all (task, class) pairs is exact at any
time, as if trained on all tasks together. (The idea of random features with accumulated moments is
RanPAC's, McDonnell et al. 2023.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from bocl import seeds

if TYPE_CHECKING:
    from torch import Tensor

    from bocl.streams.samples import Samples

RIDGE = 1e-3  # times the mean of G's diagonal
PATCH = 6
CHUNK = 1000
TEMPERATURE = 20.0


class Router:
    """Accumulated moments of random features.

    Args:
        input_shape: of one sample; images of three channels are seen through random patches.
        features: how many random features.
    """

    def __init__(self, input_shape: tuple[int, ...], features: int, seed: int) -> None:
        self.input_shape = input_shape
        generator = seeds.generator("router", seed)
        self._patches = len(input_shape) == 3 and input_shape[0] == 3
        if self._patches:
            filters = features // 4
            self._weights = torch.randn(filters, input_shape[0], PATCH, PATCH, generator=generator)
            self._weights -= self._weights.mean((1, 2, 3), keepdim=True)
            self._offsets = torch.zeros(filters)
        else:
            size = int(torch.tensor(input_shape).prod())
            self._weights = torch.randn(features, size, generator=generator) / size**0.5
            self._offsets = 0.5 * torch.randn(features, generator=generator)
        self.gram: Tensor | None = None
        self.sums: list[Tensor] = []
        self._solved: Tensor | None = None

    def features(self, inputs: Tensor) -> Tensor:
        """Returns (batch, features)."""
        if self._patches:
            found = functional.relu(functional.conv2d(inputs, self._weights) / PATCH - 0.5)
            return functional.adaptive_avg_pool2d(found, 2).flatten(1)
        return functional.relu(functional.linear(inputs.flatten(1), self._weights, self._offsets))

    @torch.no_grad()
    def add(self, samples: Samples, classes: int) -> None:
        """Adds a task's moments."""
        totals = torch.zeros(0)
        for rows in torch.split(torch.arange(len(samples)), CHUNK):
            phi = self._biased(samples.inputs[rows])
            labels = functional.one_hot(samples.targets[rows], classes).to(phi.dtype)
            gram, part = phi.T @ phi, labels.T @ phi
            self.gram = gram if self.gram is None else self.gram + gram
            totals = part if totals.numel() == 0 else totals + part
        self.sums.append(totals)
        self._solved = None

    def _biased(self, inputs: Tensor) -> Tensor:
        phi = self.features(inputs)
        return torch.cat([phi, phi.new_ones(len(phi), 1)], dim=1)

    @torch.no_grad()
    def scores(self, inputs: Tensor) -> list[Tensor]:
        """Returns, for each task, the ridge scores (batch, classes) of its classes."""
        if self._solved is None:
            assert self.gram is not None  # noqa: S101  a router without tasks is never asked
            ridge = RIDGE * self.gram.diagonal().mean()
            system = (self.gram + ridge * torch.eye(len(self.gram))).double()
            targets = torch.cat(self.sums).double()
            self._solved = torch.cholesky_solve(targets.T, torch.linalg.cholesky(system)).float()
        parts = [self._biased(part) @ self._solved for part in torch.split(inputs, CHUNK)]
        return list(torch.split(torch.cat(parts), [len(part) for part in self.sums], dim=1))

    def task_log_odds(self, inputs: Tensor) -> Tensor:
        """Returns log probabilities (batch, tasks) of each sample's task."""
        best = [torch.logsumexp(TEMPERATURE * part, dim=1) for part in self.scores(inputs)]
        return torch.log_softmax(torch.stack(best, dim=1), dim=1)

    def tensors(self) -> dict[str, Tensor]:
        """Returns what has to be stored."""
        result = {f"sums.{task}": part for task, part in enumerate(self.sums)}
        return result | ({} if self.gram is None else {"gram": self.gram})

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Takes up stored moments."""
        self.gram = tensors.get("gram")
        self.sums = [tensors[f"sums.{task}"] for task in range(len(tensors) - 1)]
        self._solved = None
