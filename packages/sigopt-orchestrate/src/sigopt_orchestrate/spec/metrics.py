"""The metrics of an experiment: what a trial reports."""

from typing import Annotated, Literal

from pydantic import StringConstraints

from sigopt_orchestrate.spec.section import Section

MetricName = Annotated[str, StringConstraints(min_length=1, max_length=100)]


class Metric(Section):
    """A number that each trial reports.

    Attributes:
        name: As the trial reports it, for example `hr@10`.
        objective: Whether more or less of it is better.
        strategy: `optimize` steers the search; `store` only keeps the number, which a trial may
            leave out.
    """

    name: MetricName
    objective: Literal["maximize", "minimize"] = "maximize"
    strategy: Literal["optimize", "store"] = "optimize"

    @property
    def sign(self) -> float:
        """1 where more is better, else -1."""
        return 1.0 if self.objective == "maximize" else -1.0
