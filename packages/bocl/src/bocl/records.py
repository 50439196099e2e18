"""What the learner remembers of how a task was learned: for reports, transfer and accounts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bocl.growth import Growth
from bocl.journal import plain_trial, trial_of

if TYPE_CHECKING:
    from bocl.search.trials import Trial


@dataclass
class TaskRecord:
    """One learned task.

    Attributes:
        fingerprint: digest of its training data.
        validation_accuracy: after the final training; None where that had the validation samples.
        trials: of its search, in order.
        landscape: posterior mean of validation accuracy by growth.
        deviations: posterior standard deviations.
        costs: known cost of each growth, as a share of the first network.
        search_seconds: CPU seconds of the search, its model included.
        model_seconds: CPU seconds of the search's model alone.
        training_seconds: CPU seconds of the final training and all else.
    """

    name: str
    classes: int
    fingerprint: str
    view: str
    growth: Growth
    validation_accuracy: float | None
    parameters: int
    macs: int
    trials: list[Trial] = field(default_factory=list)
    landscape: dict[Growth, float] = field(default_factory=dict)
    deviations: dict[Growth, float] = field(default_factory=dict)
    costs: dict[Growth, float] = field(default_factory=dict)
    attention: tuple[tuple[float, ...], ...] = ()
    search_seconds: float = 0.0
    model_seconds: float = 0.0
    training_seconds: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """Returns plain values for JSON."""
        plain = dict(vars(self))
        plain["growth"] = [list(self.growth.widths), self.growth.reuse]
        plain["trials"] = [plain_trial(trial) for trial in self.trials]
        plain["landscape"] = [
            [
                list(growth.widths),
                growth.reuse,
                mean,
                self.deviations.get(growth),
                self.costs[growth],
            ]
            for growth, mean in self.landscape.items()
        ]
        del plain["deviations"], plain["costs"]
        return plain

    @classmethod
    def of(cls, plain: dict[str, Any]) -> TaskRecord:
        """Returns the record of `as_dict`."""
        fields = dict(plain)
        fields["growth"] = Growth(tuple(plain["growth"][0]), plain["growth"][1])
        fields["trials"] = [trial_of(trial) for trial in plain["trials"]]
        fields["attention"] = tuple(tuple(row) for row in plain["attention"])
        rows = [(Growth(tuple(w), reuse), *rest) for w, reuse, *rest in plain["landscape"]]
        fields["landscape"] = {growth: mean for growth, mean, _, _ in rows}
        fields["deviations"] = {growth: dev for growth, _, dev, _ in rows if dev is not None}
        fields["costs"] = {growth: cost for growth, _, _, cost in rows}
        return cls(**fields)
