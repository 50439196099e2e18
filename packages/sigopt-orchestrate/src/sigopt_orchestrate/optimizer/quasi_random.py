"""Points that fill the space evenly, in any number and from the first one on.

A Halton sequence whose digits are permuted at random. Not `scipy.stats.qmc`: importing that takes
over two seconds of CPU, and the first trials wait for their first points.
"""

import math
import random
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import lru_cache
from itertools import islice

from sigopt_orchestrate.errors import SuggestionError
from sigopt_orchestrate.optimizer.space import Point, Space

MAX_LISTED = 20_000
"""Up to this size, a finite space is listed to find the points that are left."""
Believed = Callable[[Sequence[float]], Sequence[float]]
_PRECISION = 2.0**32
_ATTEMPTS = 64


def halton(dimension: int, seed: int, start: int = 0) -> Iterator[Point]:
    """Yields the points of a scrambled Halton sequence without end, each coordinate in [0, 1).

    Args:
        dimension: How many coordinates a point has.
        seed: Chooses the permutations.
        start: The index of the first point yielded.
    """
    scrambles = [_scramble(base, seed) for base in _primes(dimension)]
    while True:
        yield tuple(_place(start, permutations) for permutations in scrambles)
        start += 1


def next_point(space: Space, seed: int, taken: Collection[Point], believed: Believed) -> Point:
    """Returns the first point of the sequence, from the index `len(taken)` on, that is not taken.

    An exhausted space repeats itself.

    Args:
        space: Where the point is to lie.
        seed: Of the sequence.
        taken: The points already issued, repeated ones included.
        believed: Moves places in [0, 1) to where priors say that good values lie.

    Raises:
        SuggestionError: If no point was found that satisfies the linear constraints.
    """
    seen = set(taken)
    return first_new(
        space, (space.draw(believed(u)) for u in halton(space.dimension, seed, len(taken))), seen
    )


def first_new(space: Space, points: Iterator[Point], seen: Collection[Point]) -> Point:
    """Returns the first of `points`, moved into the linear constraints, that is not in `seen`.

    Args:
        space: Where the point is to lie.
        points: Without end; some of them are looked at.
        seen: Points to avoid as long as there are others.

    Raises:
        SuggestionError: If no point was found that satisfies the linear constraints.
    """
    legal = []
    for drawn in islice(points, _ATTEMPTS):
        moved = None if space.allows(drawn) else space.repaired(drawn)
        if moved is None and not space.allows(drawn):
            continue
        legal.append(drawn if moved is None else space.encode(moved))
        if legal[-1] not in seen:
            return legal[-1]
    left = remaining(space, seen) or legal
    if not left:
        raise SuggestionError("no point was found that satisfies the linear constraints")
    return left[len(seen) % len(left)]


def remaining(space: Space, seen: Collection[Point]) -> list[Point]:
    """Returns the points of a small finite space that are not in `seen`; none of a large one."""
    if space.size is None or space.size > MAX_LISTED:
        return []
    return [point for point in space.all_points() if point not in seen and space.allows(point)]


@lru_cache(maxsize=256)
def _scramble(base: int, seed: int) -> list[list[int]]:
    """One permutation of the digits of `base` for each place that matters."""
    rng = random.Random(seed * 65_537 + base)  # noqa: S311
    places = math.ceil(math.log(_PRECISION, base))
    return [rng.sample(range(base), base) for _ in range(places)]


def _place(index: int, permutations: list[list[int]]) -> float:
    """The digits of `index`, permuted and mirrored at the point: 0.d0 d1 d2 ..."""
    base = len(permutations[0])
    place, weight = 0.0, 1.0
    for permutation in permutations:
        index, digit = divmod(index, base)
        weight /= base
        place += permutation[digit] * weight
    return min(place, 1 - 1 / _PRECISION)


def _primes(count: int) -> list[int]:
    primes: list[int] = []
    candidate = 2
    while len(primes) < count:
        if all(candidate % prime for prime in primes):
            primes.append(candidate)
        candidate += 1
    return primes
