"""Shares are held to the variance decompositions of functions that have them in closed form."""

import numpy as np
import pytest

from sigopt_orchestrate.optimizer.sensitivity import total_effects

RNG = np.random.default_rng(3)
X = RNG.random((80, 3))


def _columns(points: np.ndarray) -> list[list[float]]:
    return [column.tolist() for column in points.T]


def test_a_sum_is_shared_by_the_variances_of_its_terms() -> None:
    shares = total_effects(_columns(X), (3 * X[:, 0] + X[:, 1]).tolist())
    assert sum(shares) == pytest.approx(1)
    assert shares == pytest.approx([0.9, 0.1, 0.0], abs=0.03)


def test_parameters_that_matter_only_together_both_matter() -> None:
    shares = total_effects(_columns(X), ((X[:, 0] - 0.5) * (X[:, 2] - 0.5)).tolist())
    assert shares == pytest.approx([0.5, 0.0, 0.5], abs=0.06)


def test_a_parameter_that_was_moved_along_with_another_is_not_taken_for_it() -> None:
    # A search that crowds on a diagonal; plain averages over y would see all that x does.
    crowded = X.copy()
    crowded[:60, 1] = np.clip(crowded[:60, 0] + 0.1 * RNG.standard_normal(60), 0, 1)
    shares = total_effects(_columns(crowded), np.sin(3 * crowded[:, 0]).tolist())
    assert shares[0] > 0.95


def test_the_scale_of_a_parameter_and_of_the_metric_do_not_count() -> None:
    values = X[:, 0] + X[:, 1]
    powers = X.copy()
    powers[:, 0] = 10 ** (-6 * (1 - X[:, 0]))
    expected = total_effects(_columns(X), values.tolist())
    assert total_effects(_columns(powers), (1e8 * values).tolist()) == pytest.approx(
        expected, abs=1e-6
    )


def test_names_and_parameters_that_did_not_always_count_have_their_shares() -> None:
    kinds = ["a" if x < 0.5 else "b" for x in X[:, 0]]
    depth = [x if kind == "b" else None for x, kind in zip(X[:, 1], kinds, strict=True)]
    values = [
        3 * (kind == "a") + (0 if d is None else 0.2 * d)
        for kind, d in zip(kinds, depth, strict=True)
    ]
    by_kind, by_depth, by_nothing = total_effects([kinds, depth, X[:, 2].tolist()], values)
    assert by_depth > 10 * by_nothing
    assert by_kind > by_nothing


def test_a_long_history_is_modelled_by_a_part_of_it() -> None:
    points = RNG.random((3000, 2))
    shares = total_effects(_columns(points), (points[:, 1] ** 2).tolist())
    assert shares[1] > 0.99
