"""When a trial is not worth going on."""

from typing import Annotated, Literal

from pydantic import Field

from sigopt_orchestrate.spec.metrics import MetricName
from sigopt_orchestrate.spec.section import Number, Section, Whole


class EarlyStopping(Section):
    """When a trial's checkpoints say that it may stop.

    Attributes:
        type: `asha`: it is not among the best 1 / `reduction` of those that have come as far;
            `median`: its best is below the median of the others' means; `lookback`: none of its
            last `lookback` checkpoints is better than all before.
        metric: Which metric of the checkpoints counts.
        min: The step before which no trial stops.
        reduction: Of `asha`.
        lookback: Of `lookback`.
    """

    type: Literal["asha", "median", "lookback"]
    metric: MetricName
    min: Annotated[Number, Field(gt=0)] = 1
    reduction: Annotated[Number, Field(gt=1)] = 3
    lookback: Annotated[Whole, Field(ge=1)] = 5
