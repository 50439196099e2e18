import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigopt_orchestrate.optimizer.outcomes import standardise

FINITE = st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(st.one_of(FINITE, st.none()), min_size=1).filter(lambda v: set(v) != {None}))
def test_outcomes_are_finite_in_order_and_failures_the_worst(values) -> None:
    for sign in (1.0, -1.0):
        outcomes = standardise(values, sign)
        assert all(map(math.isfinite, outcomes))
        known = sorted(
            (sign * v, o) for v, o in zip(values, outcomes, strict=True) if v is not None
        )
        assert [o for _, o in known] == sorted(o for _, o in known)
        assert all(o == min(outcomes) for v, o in zip(values, outcomes, strict=True) if v is None)


@given(st.lists(st.integers(-1000, 1000), min_size=2, unique=True))
def test_minimising_is_maximising_the_negative(values) -> None:
    assert standardise(values, -1.0) == standardise([-v for v in values], 1.0)


@pytest.mark.parametrize("scale", [1e-300, 1.0, 1e8, 1e300])
def test_the_scale_of_the_metric_does_not_matter(scale: float) -> None:
    values = [0.1, 0.7, 0.4, 0.9, 0.2]
    outcomes = standardise([scale * v for v in values], 1.0)
    assert outcomes == pytest.approx(standardise(values, 1.0))
    assert statistics.fmean(outcomes) == pytest.approx(0, abs=1e-12)
    assert statistics.pstdev(outcomes) == pytest.approx(1)


def test_equal_values_are_zeros() -> None:
    assert standardise([3.5, 3.5, None], 1.0) == [0.0, 0.0, 0.0]


def test_one_divergent_trial_does_not_flatten_the_others() -> None:
    outcomes = standardise([0.1, 0.2, 0.3, 0.4, 0.5, 1e12], -1.0)
    assert outcomes[5] == min(outcomes)
    assert outcomes[0] - outcomes[4] > 1
