import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigopt_orchestrate.optimizer.outcomes import NO_WARP, margins, standardise

FINITE = st.floats(allow_nan=False, allow_infinity=False)
WARPS = st.sampled_from([NO_WARP, 1.0, 0.1])


@given(st.lists(FINITE, min_size=1), WARPS)
def test_outcomes_are_finite_and_in_order(values, warp) -> None:
    for sign in (1.0, -1.0):
        outcomes = standardise(np.array(values), sign, warp=warp).values
        assert np.isfinite(outcomes).all()
        ordered = outcomes[np.argsort(sign * np.array(values), kind="stable")]
        assert (np.diff(ordered) >= 0).all()


@given(st.lists(st.integers(-1000, 1000), min_size=2, unique=True), WARPS)
def test_minimising_is_maximising_the_negative(values, warp) -> None:
    numbers = np.array(values, dtype=float)
    one, other = standardise(numbers, -1.0, warp=warp), standardise(-numbers, 1.0, warp=warp)
    assert (one.values == other.values).all()


@pytest.mark.parametrize("scale", [1e-300, 1.0, 1e8, 1e300])
def test_the_scale_of_the_metric_does_not_matter(scale: float) -> None:
    values = np.array([0.1, 0.7, 0.4, 0.9, 0.2])
    outcomes = standardise(scale * values, 1.0).values
    assert outcomes == pytest.approx(standardise(values, 1.0).values)
    assert outcomes.mean() == pytest.approx(0, abs=1e-12)
    assert outcomes.std() == pytest.approx(1)


def test_equal_values_are_zeros() -> None:
    assert standardise(np.full(3, 3.5), 1.0).values.tolist() == [0.0, 0.0, 0.0]


def test_a_warp_keeps_one_divergent_trial_from_flattening_the_others() -> None:
    values = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 1e12])
    plain, warped = (standardise(values, -1.0, warp=w).values for w in (NO_WARP, 0.1))
    assert plain[0] - plain[4] < 1e-9
    assert warped[0] - warped[4] > 0.2


@pytest.mark.parametrize("warp", [NO_WARP, 1.0, 0.1])
def test_the_map_is_that_of_the_values_and_its_volume_that_of_its_slopes(warp: float) -> None:
    values = np.array([3.0, 1.0, 4.0, 1.5, 9.0, 2.6])
    deviations = np.array([0.5, 0.0, 0.1, 0.2, 0.3, 0.4])
    outcomes = standardise(values, -1.0, deviations, warp)
    assert [outcomes.of(v) for v in values] == pytest.approx(outcomes.values)
    step = 1e-6
    slopes = np.array([(outcomes.of(v - step) - outcomes.of(v)) / step for v in values])
    assert np.sqrt(outcomes.noise) == pytest.approx(deviations * slopes, rel=1e-4)
    unit = float(np.median(values - values.min()))
    assert outcomes.log_volume == pytest.approx(np.log(slopes * unit).sum(), rel=1e-4)


@given(st.lists(FINITE, min_size=1), FINITE)
def test_margins_have_the_sign_of_what_they_measure(values, threshold) -> None:
    for sign in (1.0, -1.0):
        found = margins(np.array(values), sign, threshold)
        assert np.isfinite(found).all()
        for value, margin in zip(values, found, strict=True):
            assert not (sign * value < sign * threshold and margin > 0)
            assert not (sign * value > sign * threshold and margin < 0)
    assert math.isclose(margins(np.array([2.0]), 1.0, 2.0)[0], 0.0)
