"""What an experiment may use before it ends, whatever its budget."""

from typing import Annotated

from pydantic import Field

from sigopt_orchestrate.spec.duration import Duration
from sigopt_orchestrate.spec.section import Number, Section


class Limits(Section):
    """Looked at whenever a trial is about to start; those that run are never cut off by it.

    Attributes:
        cost_usd: What the experiment's instances may have cost; for EC2.
        wall_s: Since the experiment was created.
    """

    cost_usd: Annotated[Number, Field(gt=0)] | None = None
    wall_s: Duration | None = Field(default=None, alias="wall")
