"""What a search space has beside its parameters: choices, linear constraints and tasks."""

from typing import Annotated, Literal

from pydantic import Field, StrictStr

from sigopt_orchestrate.spec.parameters import Name
from sigopt_orchestrate.spec.section import Number, Section


class Conditional(Section):
    """A choice on which it depends whether other parameters count."""

    name: Name
    values: Annotated[tuple[StrictStr, ...], Field(min_length=1)]


class Term(Section):
    """A parameter's share in a linear constraint."""

    name: str
    weight: Number


class LinearConstraint(Section):
    """A weighted sum of parameters that must stay above or below a threshold."""

    type: Literal["greater_than", "less_than"]
    threshold: Number
    terms: Annotated[tuple[Term, ...], Field(min_length=1)]


class Task(Section):
    """A way to run a trial at a share of the full cost; the one of cost 1 is what counts."""

    name: Annotated[StrictStr, Field(min_length=1, max_length=100)]
    cost: Annotated[Number, Field(gt=0, le=1)]
