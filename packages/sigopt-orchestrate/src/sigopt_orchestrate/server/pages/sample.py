"""A few of many trials that draw the same picture.

Every trial that improved on all before it, the best ones and the defaults are kept, so the line of
the best so far and the Pareto front are exactly those of all trials; of the others, which only
make the cloud behind, an even part.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, case, select

from sigopt_orchestrate.server.pages.filtering import narrowed
from sigopt_orchestrate.server.pages.relation import Relation, read_plain, read_some
from sigopt_orchestrate.spec import Metric
from sigopt_orchestrate.store import TrialRecord

MOST = 1200
"""How many trials a sample has, but for those that improved on all before them."""
_MOST_FAILED = 200
_MOST_RECORDS = 600

FAILED, COMPLETED, ELIGIBLE = range(3)

Point = tuple[Any, ...]
"""A trial's number, its standing and its objectives.

The standing is `FAILED`, `COMPLETED`, `ELIGIBLE` for a completed one that can be the best, or None.
"""


def sample(
    tx: Connection, relation: Relation, query: dict[str, str]
) -> tuple[list[TrialRecord], int]:
    """Returns the trials to draw, by number, and how many they stand for.

    Args:
        tx: A reading transaction.
        relation: The experiment's trials.
        query: What the page's address leaves of them, see `filtering`.
    """
    objectives = relation.subject.spec.objectives
    columns = relation.columns
    values = [relation.metrics[metric.name] for metric in objectives]
    completed = columns.state == "completed"
    standing = case(
        (completed & relation.eligible, ELIGIBLE),
        (completed, COMPLETED),
        (columns.state == "failed", FAILED),
    )
    rows = select(columns.number, standing, *values)
    points = read_plain(tx, narrowed(relation, query, rows).order_by(columns.number))
    chosen = choose(points, objectives)
    default = select(columns.number).where(columns.source == "default").limit(1)
    chosen |= set(tx.execute(narrowed(relation, query, default)).scalars())
    return read_some(tx, relation, sorted(chosen)), len(points)


def choose(points: Sequence[Point], objectives: Sequence[Metric]) -> set[int]:
    """Returns the numbers of the points to draw.

    Args:
        points: By number.
        objectives: What their values are of.
    """
    completed = [p for p in points if p[1] and None not in p[2:]]
    able = [p for p in completed if p[1] == ELIGIBLE]
    failed = [p[0] for p in points if p[1] == FAILED]
    chosen = set(_spread([p[0] for p in completed], MOST)) | set(_spread(failed, _MOST_FAILED))
    for place, metric in enumerate(objectives, start=2):
        chosen |= set(_spread(_records(able, place, metric.sign), _MOST_RECORDS))
    if len(objectives) == 2:
        chosen |= set(_front(able, objectives))
    return chosen


def _records(points: Sequence[Point], place: int, sign: float) -> list[int]:
    """The numbers of the points that beat all before them."""
    best, found = float("-inf"), []
    for point in points:
        value = sign * point[place]
        if value > best:
            best = value
            found.append(point[0])
    return found


def _front(points: Sequence[Point], objectives: Sequence[Metric]) -> list[int]:
    """The numbers of the points that no other one beats in both objectives."""
    first, second = (metric.sign for metric in objectives)
    best, found = float("-inf"), []
    for point in sorted(points, key=lambda p: (-first * p[2], -second * p[3])):
        if second * point[3] > best:
            best = second * point[3]
            found.append(point[0])
    return found


def _spread(numbers: Sequence[int], most: int) -> list[int]:
    """At most `most` of the numbers, evenly, the last one among them."""
    step = -(-len(numbers) // most) or 1
    return [*numbers[::step], *numbers[-1:]]
