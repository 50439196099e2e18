"""The search for the point of highest acquisition: spread, refine, step."""

import random
from collections.abc import Iterable, Sequence
from itertools import islice

import torch
from botorch.acquisition.acquisition import AcquisitionFunction
from botorch.generation.gen import gen_candidates_scipy
from torch import Tensor

from sigopt_orchestrate.optimizer.quasi_random import halton
from sigopt_orchestrate.optimizer.space import Point, Space

_SPREAD = 256
_SCALES = (0.1, 0.01, 0.001)
_NEAR = 8  # perturbations for each incumbent and scale
_STARTS = 4  # from the spread, and half as many from near the incumbents
_CLIMBERS = 2
_STEPS = 8
_ITERATIONS = 100
_WIDE = 16  # an int with more levels than this is refined as if it were a double
_LISTED = 1024  # up to this size, a finite space is looked at whole
_CHUNK = 512
_SAME = 1e-6  # of the unit cube; closer points teach the model nothing new


def rank(Y: Tensor) -> list[int]:
    """Returns the rows of `Y`, `(n, m)`, best first: by how many others dominate each."""
    dominated = (Y.unsqueeze(0) > Y.unsqueeze(1)).all(-1).sum(1)  # (n,)
    return sorted(range(len(Y)), key=lambda i: (int(dominated[i]), -float(Y[i].sum()), i))


class Search:
    """One search; it remembers all points it has looked at that are not taken.

    Args:
        acquisition: What to maximise over legal points.
        space: Where they lie.
        taken: Points not to return, `(t, d)`, float64.
    """

    def __init__(self, acquisition: AcquisitionFunction, space: Space, taken: Tensor) -> None:
        self._acquisition = acquisition
        self._space = space
        self._taken = taken
        self._found: dict[Point, float] = {}

    def run(self, incumbents: Sequence[Point], seed: int) -> Point | None:
        """Returns the best legal point that is not taken; None if none was found.

        Args:
            incumbents: The best points known, around which to look closely.
            seed: Of the spread and of the looks around the incumbents.
        """
        if self._space.size is not None and self._space.size <= _LISTED:
            return next(iter(self._best(self._look(self._space.all_points()), 1)), None)
        rng = random.Random(seed)  # noqa: S311
        uniforms = islice(halton(self._space.dimension, seed), _SPREAD)
        spread = self._look(self._space.draw(u) for u in uniforms)
        near = self._look(
            self._space.perturb(incumbent, scale, rng)
            for incumbent in incumbents
            for scale in _SCALES
            for _ in range(_NEAR)
        )
        refined = self._refine(self._best(spread, _STARTS) + self._best(near, _STARTS // 2))
        for point in self._best(refined, _CLIMBERS):
            self._climb(point)
        return next(iter(self._best(self._found, 1)), None)

    def _best(self, points: Iterable[Point], count: int) -> list[Point]:
        return sorted(set(points), key=lambda p: (-self._found[p], p))[:count]

    def _look(self, points: Iterable[Point]) -> list[Point]:
        """Evaluates legal points; returns those of them that may be suggested."""
        listed = list(dict.fromkeys(points))
        new = [point for point in listed if point not in self._found]
        for i in range(0, len(new), _CHUNK):
            self._evaluate(new[i : i + _CHUNK])
        return [point for point in listed if point in self._found]

    def _evaluate(self, points: Sequence[Point]) -> None:
        X = torch.tensor(points, dtype=torch.float64)  # (b, d)
        with torch.no_grad():
            values = self._acquisition(X.unsqueeze(1))  # (b,)
        distance = (X.unsqueeze(1) - self._taken).abs().amax(-1).amin(1)  # (b,)
        usable = (distance > _SAME) & values.isfinite()
        rows = zip(points, values.tolist(), usable.tolist(), strict=True)
        self._found |= {point: value for point, value, good in rows if good}

    def _refine(self, starts: Sequence[Point]) -> list[Point]:
        """Follows the gradient from each start, discrete coordinates held, wide ints relaxed."""
        held = [i for i, a in enumerate(self._space.axes) if self._is_held(i, a.levels)]
        if not starts or len(held) == self._space.dimension:
            return list(starts)
        X = torch.tensor(starts, dtype=torch.float64)  # (b, d)
        ends, _ = gen_candidates_scipy(
            X.unsqueeze(1),
            self._acquisition,
            lower_bounds=torch.zeros_like(X[0]),
            upper_bounds=torch.ones_like(X[0]),
            fixed_features={i: X[:, i] for i in held} or None,
            options={"maxiter": _ITERATIONS},
        )  # (b, 1, d)
        return self._look(self._space.snap(row) for row in ends.squeeze(1).tolist()) + list(starts)

    def _is_held(self, column: int, levels: int | None) -> bool:
        return column in self._space.categorical or (levels is not None and levels <= _WIDE)

    def _climb(self, point: Point) -> None:
        """Takes the best discrete step as long as one helps, refining after each."""
        for _ in range(_STEPS):
            steps = self._best(self._look(self._space.neighbours(point)), 1)
            if not steps or self._found[steps[0]] <= self._found[point]:
                return
            point = self._best(self._refine(steps), 1)[0]
