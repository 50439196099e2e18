"""Posing a task's search: what may be grown, what it costs, what earlier searches expect."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from bocl.candidate import Candidate
from bocl.complexity import base_cost, growth_cost
from bocl.errors import SettingsError
from bocl.growth import Growth
from bocl.inheriting import borrowable
from bocl.search.space import Space, full_space, log_space
from bocl.search.trials import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bocl.cache import Seen
    from bocl.network import Network
    from bocl.settings import Settings
    from bocl.trunks.architectures import Trunk

PAPER_MOST = 29  # RCL's largest new width


def pose_candidate(
    network: Network,
    settings: Settings,
    classes: int,
    seen: Seen,
    only: Growth | None,
) -> Candidate:
    """Returns the widest growth of the next task: the base, alone, for the first.

    Args:
        network: earlier tasks.
        settings: say how wide and which gates.
        classes: of the new task.
        seen: what it sees of inputs and earlier units.
        only: the single growth of a search that is none.

    Raises:
        SettingsError: units of that growth would have nothing to read.
    """
    trunk = network.trunk
    first = len(network) == 0
    largest = (
        Growth(trunk.base, reuse=False) if first else only or Growth(_largest(trunk, settings))
    )
    largest.check(first=first)
    old_units = [[len(units) for units in level] for level in seen.by_block(network)]
    candidate = Candidate(
        trunk,
        largest,
        classes=classes,
        inputs=trunk.input_units if seen.inputs is None else len(seen.inputs),
        old_units=old_units,
        gate_kind=settings.gates,
        lent=borrowable(network, old_units) if settings.inherit else None,
    )
    if not candidate.feeds(largest):
        raise SettingsError(
            f"growth {largest} leaves units without input: a task of trunk {trunk.name} reads no "
            "earlier units below them unless bounded is False"
        )
    return candidate


def pose_problem(
    candidate: Candidate,
    settings: Settings,
    *,
    validation: int,
    seed: int,
    landscapes: Sequence[Mapping[Growth, float]],
) -> Problem:
    """Returns the search problem of a candidate.

    Args:
        candidate: the widest growth.
        settings: say what growth costs.
        validation: samples behind each accuracy.
        seed: of what the search draws.
        landscapes: of earlier searches: posterior mean of accuracy by growth.
    """
    trunk = candidate.trunk
    unit = base_cost(trunk, trunk.base, candidate.classes, settings.cost)
    largest = _largest(trunk, settings)
    paper = settings.cost == "units"
    costs: dict[Growth, float] = {}

    def cost(growth: Growth) -> float:
        if growth not in costs:
            costs[growth] = growth_cost(candidate, growth, settings.cost) / unit
        return costs[growth]

    whole = full_space(largest, PAPER_MOST) if paper else log_space(largest)
    choices = tuple(
        growth
        for growth in whole.choices
        if candidate.feeds(growth)
        and _has_all_maps(candidate, growth)
        and (growth.none or not settings.limit or cost(growth) <= settings.limit)
    )
    return Problem(
        Space(whole.largest, choices),
        cost,
        settings.alpha,
        validation,
        seed,
        [_logits(landscape) for landscape in landscapes if landscape],
        hasty=settings.fidelity == "short",
    )


def _has_all_maps(candidate: Candidate, growth: Growth) -> bool:
    """Tells whether a growth feeds what it borrows as the first network does: with every map."""
    lent = candidate.lent_to(growth)
    if lent is None:
        return True
    below = slice(0, lent.number - 1)
    return growth.widths[below] == candidate.largest.widths[below]


def _largest(trunk: Trunk, settings: Settings) -> tuple[int, ...]:
    largest = settings.largest or trunk.most_growth
    if settings.cost == "units":
        return tuple(min(PAPER_MOST, width) for width in largest)
    return largest


def _logits(landscape: Mapping[Growth, float]) -> dict[Growth, float]:
    clamped = {growth: min(max(mean, 1e-4), 1 - 1e-4) for growth, mean in landscape.items()}
    return {growth: math.log(mean / (1 - mean)) for growth, mean in clamped.items()}
