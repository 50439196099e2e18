"""An Avalanche strategy: every experience of a benchmark is a task of the learner.

    strategy = BOCLStrategy(learner=BOCL(trunk="mlp", epochs=5))
    for experience in benchmark.train_stream:
        strategy.train(experience)
        strategy.eval(benchmark.test_stream)

Search and training run where Avalanche's epochs would, on the experience's samples as its transform
gives them once; plugins see training_exp and eval hooks, no epochs or iterations. Written against
avalanche-lib 0.6.0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from bocl.errors import MissingDependencyError
from bocl.integrations.class_scores import LabelledLearner

try:
    from avalanche.models import MultiTaskModule
    from avalanche.training.plugins.evaluation import default_evaluator
    from avalanche.training.templates import SupervisedTemplate
except ImportError as error:
    raise MissingDependencyError(
        "bocl.integrations.avalanche needs Avalanche: pip install avalanche-lib"
    ) from error

if TYPE_CHECKING:
    from torch import Tensor

    from bocl.learner import BOCL


class GrowingModule(MultiTaskModule):  # type: ignore[misc]  # Avalanche is optional
    """The learner as the model that Avalanche evaluates.

    Attributes:
        tasks_of: the learner's tasks by Avalanche's task label; a label that several experiences
            share leaves it to the learner which of them a sample belongs to.
    """

    def __init__(self, labelled: LabelledLearner) -> None:
        super().__init__()
        self.labelled = labelled
        self.tasks_of: dict[int, list[int]] = {}

    def forward(self, x: Tensor, task_labels: Tensor) -> Tensor:
        """Returns log probabilities (batch, labels) of Avalanche's labels."""
        result = torch.empty(len(x), self.max_class_label)
        known = list(range(len(self.labelled.labels)))
        inputs = x.cpu()
        for label in torch.unique(task_labels).tolist():
            rows = (task_labels == label).cpu()
            tasks = self.tasks_of.get(label, known)
            result[rows] = self.labelled.scores(inputs[rows], tasks, self.max_class_label)
        return result.to(x.device)


class BOCLStrategy(SupervisedTemplate):  # type: ignore[misc]  # Avalanche is optional
    """Learns each experience with a `BOCL` learner, and never forgets one.

    Args:
        learner: a new one; its task numbers will be the experiences' order.
        eval_mb_size: samples in a step of evaluation.
        plugins: of Avalanche.
        evaluator: of Avalanche; its default logs to the terminal.
    """

    def __init__(
        self,
        *,
        learner: BOCL,
        eval_mb_size: int = 1000,
        plugins: list[Any] | None = None,
        evaluator: Any = default_evaluator,
    ) -> None:
        self.learner = learner
        self._labelled = LabelledLearner(learner)
        super().__init__(
            model=GrowingModule(self._labelled),
            optimizer=None,
            train_mb_size=1000,
            eval_mb_size=eval_mb_size,
            plugins=plugins,
            evaluator=evaluator,
        )

    def check_model_and_optimizer(self, **_: Any) -> None:
        """Lets the model see which labels come; there is no optimiser to keep."""
        self.model = self.model_adaptation()

    def _train_exp(self, experience: Any, eval_streams: Any = None, **_: Any) -> None:  # noqa: ARG002
        parts = list(self.dataloader)
        inputs = torch.cat([part[0].cpu() for part in parts])
        targets = torch.cat([part[1].cpu() for part in parts])
        task = self._labelled.fit(inputs, targets, f"experience {experience.current_experience}")
        for label in set(experience.task_labels):
            self.model.tasks_of.setdefault(label, []).append(task)

    def make_train_dataloader(self, **_: Any) -> None:
        """Goes once through the experience, in its order."""
        self.dataloader = torch.utils.data.DataLoader(
            self.adapted_dataset, self.train_mb_size, collate_fn=self.adapted_dataset.collate_fn
        )
