"""Where a parameter's values lie on an axis: bounds, logarithms, categories, ticks."""

import math
from dataclasses import dataclass

from sigopt_orchestrate.spec import CategoricalParameter, IntParameter, Parameter, Value


@dataclass(frozen=True)
class Scale:
    """The axis of one parameter.

    Attributes:
        low: The position of the lower end.
        high: The position of the upper end.
        log: Whether positions are decimal logarithms of the values.
        categories: The values whose positions are 0, 1, …; empty for numbers.
        ticks: Positions to label, and their labels; empty where the plot may choose.
    """

    low: float
    high: float
    log: bool
    categories: tuple[Value, ...]
    ticks: tuple[tuple[float, str], ...]

    def position(self, value: Value) -> float:
        """Returns where `value` lies on the axis."""
        if self.categories:
            return float(self.categories.index(value))
        return math.log10(float(value)) if self.log else float(value)


def scale(parameter: Parameter) -> Scale:
    """Returns the axis on which `parameter` is searched."""
    if isinstance(parameter, CategoricalParameter):
        values = parameter.categorical_values
        ticks = tuple((float(index), str(value)) for index, value in enumerate(values))
        return Scale(0.0, len(values) - 1.0, log=False, categories=values, ticks=ticks)
    low, high = parameter.bounds.min, parameter.bounds.max
    if parameter.transformation == "log":
        ticks = tuple((math.log10(value), f"{value:g}") for value in log_ticks(low, high))
        return Scale(math.log10(low), math.log10(high), log=True, categories=(), ticks=ticks)
    few = isinstance(parameter, IntParameter) and high - low <= 10
    whole = tuple((float(v), str(v)) for v in range(int(low), int(high) + 1)) if few else ()
    return Scale(float(low), float(high), log=False, categories=(), ticks=whole)


def log_ticks(low: float, high: float) -> list[float]:
    """Returns round values between two positive bounds: at most 9 decades, else 1-2-5, else ends.

    Example:
        >>> log_ticks(1e-5, 0.2)
        [1e-05, 0.0001, 0.001, 0.01, 0.1]
        >>> log_ticks(8, 128)
        [10.0, 20.0, 50.0, 100.0]
    """
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    decades = [v for e in exponents if low <= (v := float(f"1e{e}")) <= high]
    if len(decades) > 2:
        return decades[:: math.ceil(len(decades) / 9)]
    rounded = [v for e in exponents for m in (1, 2, 5) if low <= (v := float(f"{m}e{e}")) <= high]
    return rounded if len(rounded) > 1 else [float(low), float(high)]
