"""Reported values as the model wants them: more is better, mean 0, variance 1, nothing missing."""

import math
import statistics
from collections.abc import Sequence

# Further below the middle half than this many of its widths, a value says no more than "bad": the
# model spends nothing on how bad. The same fences are customary in box plots, at 1.5.
_FENCE = 3.0


def standardise(values: Sequence[float | None], sign: float) -> list[float]:
    """Returns standardised outcomes, finite whatever the scale of the finite `values`.

    Values far below the rest are raised to a fence, so that one divergent trial does not flatten
    all others. Failed trials count as the worst outcome seen, which keeps the search away from
    them without forbidding it (a model of feasibility is to come).

    Args:
        values: At least one number; None for a failed trial.
        sign: 1 where more is better, -1 where less is.
    """
    largest = max(abs(v) for v in values if v is not None) or 1.0
    known = [sign * v / largest for v in values if v is not None]
    fence = _lower_fence(known)
    known = [max(v, fence) for v in known]
    worst = min(known)
    filled = [worst if v is None else max(sign * v / largest, fence) for v in values]
    mean, deviation = statistics.fmean(filled), statistics.pstdev(filled)
    if deviation <= 1e-12 * max(map(abs, filled)):  # nothing but rounding
        return [0.0] * len(filled)
    return [(v - mean) / deviation for v in filled]


def _lower_fence(values: Sequence[float]) -> float:
    if len(values) < 4:
        return -math.inf
    lower, _, upper = statistics.quantiles(values, n=4, method="inclusive")
    return lower - _FENCE * (upper - lower) if upper > lower else -math.inf
