"""A learner's answer in a benchmark's own label space, with or without task ids."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from bocl.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from bocl.learner import BOCL

FLOOR = -1000.0  # score of classes that nobody has learned; finite, so that losses are


class LabelledLearner:
    """A learner with, for each of its tasks, the benchmark's labels of its classes.

    Args:
        learner: a new one; its tasks' labels will run from 0.

    Attributes:
        labels: for each task the benchmark's labels (classes,), ascending.

    Raises:
        SettingsError: the learner has learned tasks whose labels nobody knows any more.
    """

    def __init__(self, learner: BOCL) -> None:
        if learner.tasks:
            raise SettingsError(
                f"the learner has learned {learner.tasks} tasks already; give a benchmark a new one"
            )
        self.learner = learner
        self.labels: list[Tensor] = []

    def fit(self, inputs: Tensor, targets: Tensor, name: str) -> int:
        """Learns the next task and returns its number.

        Args:
            inputs: (n, *input_shape).
            targets: (n,) in the benchmark's labels.
            name: for reports.
        """
        labels = torch.unique(targets)
        self.learner.fit_task((inputs, torch.searchsorted(labels, targets)), name=name)
        self.labels.append(labels)
        return len(self.labels) - 1

    @torch.no_grad()
    def scores(self, inputs: Tensor, tasks: Sequence[int], width: int) -> Tensor:
        """Returns log probabilities (batch, width) over the benchmark's labels.

        Args:
            inputs: (batch, *input_shape).
            tasks: the learner's tasks that may have made the inputs; several are told apart by
                their features' statistics.
            width: one more than the largest label.

        Raises:
            SettingsError: several tasks, but the learner keeps no statistics.
        """
        result = torch.full((len(inputs), width), FLOOR)
        if not tasks:
            return result
        odds = torch.zeros(len(inputs), len(tasks))
        if len(tasks) > 1:
            if self.learner.router is None:
                raise SettingsError(
                    "routing is 0, so tasks cannot be told apart; set routing, or give task ids"
                )
            every = self.learner.router.task_log_odds(inputs)
            odds = torch.log_softmax(every[:, list(tasks)], dim=1)
        for place, task in enumerate(tasks):
            within = torch.log_softmax(self.learner.logits(inputs, task), dim=1)
            columns = self.labels[task]
            found = within + odds[:, place : place + 1]
            result[:, columns] = torch.logaddexp(result[:, columns], found)
        return result
