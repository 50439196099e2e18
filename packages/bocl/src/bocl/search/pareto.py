"""Accuracy against size from one search: the cost is known, so the front costs no trial."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bocl.growth import Growth


def pareto_front(
    landscape: Mapping[Growth, float], cost: Callable[[Growth], float]
) -> list[tuple[Growth, float, float]]:
    """Returns (growth, cost, accuracy) of those no cheaper one matches, cheapest first.

    Args:
        landscape: posterior mean of accuracy by growth, as `Recommendation` has it.
        cost: of a growth.
    """
    front: list[tuple[Growth, float, float]] = []
    order = sorted(landscape, key=lambda growth: (cost(growth), -landscape[growth]))
    for growth in order:
        if not front or landscape[growth] > front[-1][2]:
            front.append((growth, cost(growth), landscape[growth]))
    return front


def choose_by_alpha(front: list[tuple[Growth, float, float]], alpha: float) -> Growth:
    """Returns the growth of a front that maximises accuracy - alpha * cost."""
    return max(front, key=lambda point: point[2] - alpha * point[1])[0]
