"""Held to integrals computed in another way, and to finite differences."""

import mpmath
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from sigopt_orchestrate.optimizer.improvement import (
    front,
    log_hypervolume_improvement,
    log_improvement,
    log_probability,
    log_standard_improvement,
)


@pytest.mark.parametrize("z", [-3000.0, -100.0, -30.0, -5.0, -1.001, -0.999, 0.0, 3.0, 40.0])
def test_the_logarithm_holds_where_the_improvement_itself_underflows(z: float) -> None:
    with mpmath.workdps(60):
        exact = mpmath.log(mpmath.npdf(z) + mpmath.mpf(z) * mpmath.ncdf(z))
    assert log_standard_improvement(np.array([z]))[0] == pytest.approx(float(exact), rel=1e-9)


def test_the_logarithm_rises_all_the_way() -> None:
    z = np.concatenate((-np.logspace(9, -6, 400), np.logspace(-6, 2, 100)))
    values = log_standard_improvement(z)
    assert np.isfinite(values).all()
    assert (np.diff(values) > 0).all()


def test_derivatives_of_the_improvement_and_the_probability_are_those_of_differences() -> None:
    mean, deviation = np.array([-40.0, -2.0, 0.3, 5.0]), np.array([0.5, 1.0, 2.0, 0.1])
    best = np.array(0.7)
    for function in (lambda m, s: log_improvement(m, s, best), log_probability):
        _, by_mean, by_deviation = function(mean, deviation)
        step = 1e-6
        assert by_mean == pytest.approx(
            (function(mean + step, deviation)[0] - function(mean - step, deviation)[0]) / 2e-6,
            rel=1e-4,
            abs=1e-9,
        )
        assert by_deviation == pytest.approx(
            (function(mean, deviation + step)[0] - function(mean, deviation - step)[0]) / 2e-6,
            rel=1e-4,
            abs=1e-9,
        )


def _volume(points: np.ndarray, reference: np.ndarray) -> float:
    """The area above the reference that points dominate, by strips."""
    total, reached = 0.0, reference[1]
    for first, second in sorted(points.tolist(), reverse=True):
        if first > reference[0] and second > reached:
            total += (first - reference[0]) * (second - reached)
            reached = second
    return total


def test_the_hypervolume_improvement_is_the_integral_over_both_outcomes() -> None:
    rng = np.random.default_rng(0)
    Y = rng.standard_normal((12, 2))
    reference = Y.min(0) + 0.3
    best = front(Y)
    best = best[(best > reference).all(1)]
    mean, deviation = np.array([[0.4, -0.2]]), np.array([[0.6, 0.9]])
    found = np.exp(log_hypervolume_improvement(mean, deviation, best, reference)[0][0])
    before = _volume(best, reference)

    def gain(first: float) -> float:
        """The expectation over the second outcome, whose gain is piecewise linear."""
        grid = np.linspace(-6, 6, 1201) * deviation[0, 1] + mean[0, 1]
        gains = [_volume(np.vstack([best, [first, v]]), reference) - before for v in grid]
        return float(np.trapezoid(gains * norm.pdf(grid, mean[0, 1], deviation[0, 1]), grid))

    grid = np.linspace(-6, 6, 241) * deviation[0, 0] + mean[0, 0]
    density = norm.pdf(grid, mean[0, 0], deviation[0, 0])
    assert found == pytest.approx(np.trapezoid([gain(u) for u in grid] * density, grid), rel=1e-3)


def test_with_an_empty_front_it_is_the_product_of_two_improvements() -> None:
    mean, deviation = np.array([[0.5, -1.0]]), np.array([[1.0, 0.5]])
    reference = np.array([0.0, 0.2])

    def expected(j: int) -> float:
        law = norm(mean[0, j], deviation[0, j])
        return float(quad(lambda u: (u - reference[j]) * law.pdf(u), reference[j], 20)[0])

    value = log_hypervolume_improvement(mean, deviation, np.empty((0, 2)), reference)[0][0]
    assert np.exp(value) == pytest.approx(expected(0) * expected(1), rel=1e-8)


def test_derivatives_of_the_hypervolume_are_those_of_differences() -> None:
    rng = np.random.default_rng(1)
    Y = rng.standard_normal((15, 2))
    best, reference = front(Y), Y.min(0) - 0.1
    mean, deviation = 2 * rng.standard_normal((6, 2)), rng.random((6, 2)) + 0.05
    _, by_mean, by_deviation = log_hypervolume_improvement(mean, deviation, best, reference)

    def value(m: np.ndarray, s: np.ndarray) -> np.ndarray:
        return log_hypervolume_improvement(m, s, best, reference)[0]

    for j, step in enumerate(1e-6 * np.eye(2)):
        differences = (value(mean + step, deviation) - value(mean - step, deviation)) / 2e-6
        assert by_mean[:, j] == pytest.approx(differences, rel=1e-4, abs=1e-6)
        differences = (value(mean, deviation + step) - value(mean, deviation - step)) / 2e-6
        assert by_deviation[:, j] == pytest.approx(differences, rel=1e-4, abs=1e-6)


def test_the_front_is_what_no_other_point_dominates() -> None:
    Y = np.random.default_rng(2).integers(0, 9, (40, 2)).astype(float)
    kept = {tuple(y) for y in front(Y).tolist()}
    for y in Y:
        dominated = ((y <= Y).all(1) & (y < Y).any(1)).any()
        assert (tuple(y.tolist()) in kept) == (not dominated)
