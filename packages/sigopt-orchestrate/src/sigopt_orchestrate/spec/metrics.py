"""The metrics of an experiment: what a trial reports."""

from typing import Annotated, Literal

from pydantic import StringConstraints

from sigopt_orchestrate.spec.section import Number, Section

MetricName = Annotated[str, StringConstraints(min_length=1, max_length=100)]


class Metric(Section):
    """A number that each trial reports.

    Attributes:
        name: As the trial reports it, for example `hr@10`.
        objective: Whether more or less of it is better.
        strategy: `optimize` steers the search; `constraint` must reach its threshold; `store` only
            keeps the number, which a trial may leave out.
        threshold: What a constraint must reach, or what counts of one of two objectives.
    """

    name: MetricName
    objective: Literal["maximize", "minimize"] = "maximize"
    strategy: Literal["optimize", "constraint", "store"] = "optimize"
    threshold: Number | None = None

    @property
    def sign(self) -> float:
        """1 where more is better, else -1."""
        return 1.0 if self.objective == "maximize" else -1.0

    def reached(self, value: float) -> bool:
        """Returns whether `value` is at the threshold or on its good side."""
        return self.threshold is None or self.sign * (value - self.threshold) >= 0
