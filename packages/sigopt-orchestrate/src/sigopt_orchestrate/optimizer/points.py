"""What goes into a suggestion and what comes out, as values."""

from dataclasses import dataclass

from sigopt_orchestrate.spec import Assignments


@dataclass(frozen=True)
class Observed:
    """A trial that has its observation.

    Attributes:
        assignments: What the trial ran with.
        values: One number for each of the experiment's `steering` metrics, in their order and as
            the trial reported them; None for a failed trial.
        deviations: Their standard deviations, where the trial knows them; 0 for those it does not.
    """

    assignments: Assignments
    values: tuple[float, ...] | None
    deviations: tuple[float, ...] | None = None


@dataclass(frozen=True)
class Suggestion:
    """What the next trial is to run with.

    Attributes:
        assignments: One value for each parameter.
        source: How they were chosen: `default`, `centre`, `bayesian`, or as the algorithm is named.
    """

    assignments: Assignments
    source: str
