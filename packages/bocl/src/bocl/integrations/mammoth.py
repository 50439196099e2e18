"""A Mammoth model.

Put a file `models/bocl.py` into a checkout of Mammoth that holds one line,

    from bocl.integrations.mammoth import Bocl

and run `python main.py --model=bocl --dataset=seq-cifar100 --n_epochs=1 --lr=0.1`. The model
gathers a task's batches in their first epoch and learns them when the task ends, so more epochs of
Mammoth's only cost time: `--bocl_epochs` says how long to train. Outputs are log probabilities over
all classes so far, so that Mammoth's masked (Task-IL) and plain (Class-IL) accuracy are both what
they say. Written against the model interface of Mammoth 0.2.2.
"""

from __future__ import annotations

from argparse import ArgumentParser
from typing import TYPE_CHECKING, Any

import torch

from bocl.errors import MissingDependencyError
from bocl.integrations.class_scores import LabelledLearner
from bocl.learner import BOCL

try:
    from models.utils.continual_model import ContinualModel
except ImportError as error:
    raise MissingDependencyError(
        "bocl.integrations.mammoth must be imported inside a checkout of Mammoth "
        "(github.com/aimagelab/mammoth), which is not on PyPI"
    ) from error

if TYPE_CHECKING:
    from torch import Tensor


class Bocl(ContinualModel):  # type: ignore[misc]  # Mammoth is optional
    """Learns each of Mammoth's tasks with a `BOCL` learner."""

    NAME = "bocl"
    COMPATIBILITY = ("class-il", "domain-il", "task-il")

    @staticmethod
    def get_parser(parser: ArgumentParser | None = None) -> ArgumentParser:
        """Returns Mammoth's parser with the learner's settings."""
        parser = parser or ArgumentParser(description="BOCL")
        parser.add_argument("--bocl_trunk", default="lenet", help="mlp, lenet or resnet")
        parser.add_argument("--bocl_epochs", type=int, default=5, help="of the final training")
        parser.add_argument("--bocl_trials", type=int, default=10, help="most trials per task")
        parser.add_argument("--bocl_alpha", type=float, default=0.3, help="what size costs")
        return parser

    def __init__(
        self, backbone: Any, loss: Any, args: Any, transform: Any, dataset: Any = None
    ) -> None:
        super().__init__(backbone, loss, args, transform, dataset=dataset)
        learner = BOCL(
            trunk=args.bocl_trunk,
            epochs=args.bocl_epochs,
            trials=args.bocl_trials,
            alpha=args.bocl_alpha,
        )
        self._labelled = LabelledLearner(learner)
        self._gathered: list[tuple[Tensor, Tensor]] = []

    def begin_task(self, dataset: Any) -> None:  # noqa: ARG002
        """Starts gathering."""
        self._gathered = []

    def observe(
        self,
        inputs: Tensor,
        labels: Tensor,
        not_aug_inputs: Tensor,  # noqa: ARG002
        epoch: int | None = None,
    ) -> float:
        """Gathers a batch in the first epoch; there is no loss to report."""
        if not epoch:
            self._gathered.append((inputs.cpu(), labels.cpu()))
        return 0.0

    def end_task(self, dataset: Any) -> None:  # noqa: ARG002
        """Learns what was gathered."""
        inputs, labels = (torch.cat(parts) for parts in zip(*self._gathered, strict=True))
        self._labelled.fit(inputs, labels, f"task {self.current_task}")
        self._gathered = []

    def forward(self, x: Tensor) -> Tensor:
        """Returns log probabilities (batch, classes of the whole benchmark)."""
        tasks = list(range(len(self._labelled.labels)))
        return self._labelled.scores(x.cpu(), tasks, self.num_classes).to(x.device)
