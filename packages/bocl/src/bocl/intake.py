"""A task's data on their way in: checked against the learner, split, and told from others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bocl import files
from bocl.errors import DataError
from bocl.streams.samples import Samples, as_samples, check_labels, classes_of, split_validation

if TYPE_CHECKING:
    from bocl.settings import Settings
    from bocl.trunks.architectures import Trunk

LEAST_JUDGED = 2  # of one alone it cannot be said how far accuracies scatter


@dataclass(frozen=True)
class Intake:
    """What a task is learned from.

    Attributes:
        train: what trains the search.
        validation: what judges it.
        classes: of the task's head.
        refit: whether the final training has the validation samples too.
    """

    train: Samples
    validation: Samples
    classes: int
    refit: bool

    @property
    def fingerprint(self) -> str:
        """A digest of all samples."""
        return files.combined_digest(
            {
                "x": self.train.inputs,
                "y": self.train.targets,
                "v": self.validation.inputs,
                "w": self.validation.targets,
            }
        )


def take_in(samples: Samples, val: Any, trunk: Trunk, settings: Settings) -> Intake:
    """Returns a task's samples with validation samples, split off where none are given.

    Args:
        samples: for training.
        val: anything that `as_samples` takes, or None.
        trunk: must be able to take the inputs.
        settings: say how much is split off, and whether to refit.

    Raises:
        DataError: inputs of another shape than the trunk's, one class only, labels out of range, or
            too few samples for validation.
    """
    classes = classes_of(samples)
    trunk.enter(samples.inputs[:0])
    if val is not None:
        validation = as_samples(val)
        trunk.enter(validation.inputs[:0])
        check_labels(validation, classes)
        if len(validation) < LEAST_JUDGED:
            raise DataError(
                f"validation has {len(validation)} sample(s); at least {LEAST_JUDGED} are needed"
            )
        return Intake(samples, validation, classes, refit=False)
    part, validation = split_validation(samples, settings.validation, settings.seed)
    # a trial of full fidelity is the final training: it must not have seen the validation part
    return Intake(part, validation, classes, settings.refit and settings.fidelity != "full")
