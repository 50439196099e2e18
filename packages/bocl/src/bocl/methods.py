"""Methods by name, each made for a stream under the same schedule: ours and its rivals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bocl.baselines import (
    EWC,
    RCL,
    Baseline,
    EqualSizeSeparate,
    FineTune,
    Joint,
    LwF,
    PackNet,
    Progressive,
    Separate,
)
from bocl.errors import SettingsError
from bocl.learner import BOCL
from bocl.training import Schedule
from bocl.trunks.architectures import make_trunk

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from bocl.settings import Settings
    from bocl.streams.samples import Samples
    from bocl.trunks.architectures import Trunk

GROWN = ("bocl", "paper")
PLAIN = {
    "fine-tune": FineTune,
    "joint": Joint,
    "ewc": EWC,
    "lwf": LwF,
    "separate": Separate,
    "progressive": Progressive,
    "packnet": PackNet,
    "equal-size": EqualSizeSeparate,
    "rcl": RCL,
}
METHODS = (*GROWN, *PLAIN)


@dataclass(frozen=True)
class Frame:
    """What all methods on a stream have in common.

    Attributes:
        input_shape: of one sample.
        tasks: planned.
        settings: of the learner; its trunk, epochs, batch, rate and flips hold for all.
        total: weights that equal-size separate networks may have together.
        seed: of weights, order and search.
    """

    input_shape: tuple[int, ...]
    tasks: int
    settings: Settings
    total: int
    seed: int

    @property
    def trunk(self) -> Trunk:
        """The architecture of every method's first network."""
        return make_trunk(self.settings.trunk, self.input_shape, self.settings.base)

    @property
    def schedule(self) -> Schedule:
        """Every method's training."""
        s = self.settings
        return Schedule(s.epochs, s.batch, s.rate, s.annealed, s.shuffled, s.decay)


class Grown:
    """A learner as a method to compare.

    Args:
        changes: its settings.
    """

    def __init__(self, **changes: Any) -> None:
        self.learner = BOCL(**changes)

    def fit_task(self, train: Samples) -> None:
        """Learns the next task."""
        self.learner.fit_task(train)

    def predict(self, inputs: Tensor, task: int) -> NDArray[np.int64]:
        """Returns labels (batch,) within a task."""
        return self.learner.predict(inputs, task)

    @property
    def parameters(self) -> int:
        """All blocks' stored numbers."""
        return 0 if self.learner.network is None else self.learner.network.parameters

    @property
    def cpu_s(self) -> float:
        """CPU seconds of search and training."""
        return sum(
            record.search_seconds + record.training_seconds for record in self.learner.records
        )

    def facts(self) -> dict[str, Any]:
        """Returns what each task was given, and what the search took."""
        records = self.learner.records
        return {
            "growth": [str(record.growth) for record in records],
            "views": [record.view for record in records],
            "parameters": [record.parameters for record in records],
            "trials": [len(record.trials) for record in records],
            "search_s": sum(record.search_seconds for record in records),
            "training_s": sum(record.training_seconds for record in records),
        }


def check_names(names: Sequence[str]) -> None:
    """Raises SettingsError for an unknown method, or none at all."""
    if not names:
        raise SettingsError(f"methods is empty; there are: {', '.join(METHODS)}")
    for name in names:
        if name not in METHODS:
            raise SettingsError(f"method is {name!r}; there are: {', '.join(METHODS)}")


def make_method(name: str, frame: Frame, **changes: Any) -> Baseline | Grown:
    """Returns a new method.

    Args:
        name: one of `METHODS`. `bocl` has the frame's settings, `paper` is the protocol of that
            name.
        frame: what all methods share.
        changes: settings of this method alone.

    Raises:
        SettingsError: unknown name or setting.
    """
    check_names([name])
    if name in GROWN:
        return _grown(name, frame, changes)
    make: Callable[..., Baseline] = PLAIN[name]
    if name == "packnet":
        changes = {"tasks": frame.tasks, **changes}
    if name == "equal-size":
        changes = {"tasks": frame.tasks, "total": frame.total, **changes}
    if name == "rcl" and "total" in changes:
        changes = {"tasks": frame.tasks, **changes}
    settings = frame.settings
    return make(frame.trunk, frame.schedule, seed=frame.seed, flips=settings.flips, **changes)


def _grown(name: str, frame: Frame, changes: dict[str, Any]) -> Grown:
    given = frame.settings
    if name == "bocl":
        return Grown(**(given.as_dict() | {"seed": frame.seed} | changes))
    shared = {"trunk": given.trunk, "base": given.base, "flips": given.flips, "seed": frame.seed}
    return Grown(protocol="paper", **(shared | changes))
