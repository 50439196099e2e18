"""Offspring of the best points, for histories so long that a model of a part of them says little.

Differential evolution (Storn and Price, 1997; "current to p-best" as in JADE, Zhang and Sanderson,
2009): a parent moves towards one of the best and by the difference of two others. Its cost does not
grow with what is known, and its steps shrink by themselves as the best points close in.
"""

import numpy as np
from numpy.typing import NDArray

from sigopt_orchestrate.optimizer.correlation import Array
from sigopt_orchestrate.optimizer.lattice import Lattice
from sigopt_orchestrate.optimizer.search import untaken

_BEGIN, _WHOLE = 2_000, 20_000  # observations at which the share leaves 0 and reaches its most
_MOST = 0.9  # of the suggestions; the rest stay the model's
_POPULATION = 60
_BEST = 6
_BROOD = 32  # offspring made at a time; the first that is new is taken
_CROSSOVER = 0.9
_MUTATION = 0.1  # of offspring, one coordinate of which is drawn anew


def evolved_share(observed: int) -> float:
    """Returns the share of suggestions that are offspring: it grows steadily, and never jumps."""
    grown = (observed - _BEGIN) / (_WHOLE - _BEGIN)
    return _MOST * min(max(grown, 0.0), 1.0)


def offspring(
    lattice: Lattice, ranked: Array, known: Array, pending: Array, rng: np.random.Generator
) -> Array | None:
    """Returns a legal point that is new, `(d,)`; None if the brood had none.

    Args:
        lattice: Where points lie.
        ranked: The points that may be parents, the best first, `(n, d)`.
        known: Points with an outcome, `(t, d)`.
        pending: Points under way, `(p, d)`.
        rng: Of the matings.
    """
    population = ranked[:_POPULATION]
    if len(population) < _BEST:
        return None
    parents, seconds, thirds = population[rng.integers(0, len(population), (3, _BROOD))]
    best = population[rng.integers(0, _BEST, _BROOD)]
    ordered = np.array([j not in lattice.space.categorical for j in range(population.shape[1])])
    crossed = rng.random(parents.shape) < _CROSSOVER
    step = rng.uniform(0.4, 1.0, (_BROOD, 1))
    moved = _folded(parents + step * (best - parents) + step * (seconds - thirds))
    # A category has no differences: it comes from the best or from one of the others.
    inherited = np.where(rng.random(parents.shape) < 0.5, best, seconds)
    children = np.where(crossed, np.where(ordered, moved, inherited), parents)
    for row in np.flatnonzero(rng.random(_BROOD) < _MUTATION):
        j = rng.integers(0, children.shape[1])
        children[row, j] = lattice.space.axes[j].draw(rng.random())
    children = lattice.snap(children)
    children = children[lattice.allowed(children)]
    new = children[untaken(children, known, pending)]
    return np.asarray(new[0]) if len(new) else None


def rank(Y: Array, counts: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Returns the rows that count, the best first.

    Of two objectives the front comes first, then the front of what is left, and so on until there
    are enough parents.

    Args:
        Y: Objectives, `(n, m)`; more is better.
        counts: Which rows may be parents, `(n,)`.
    """
    rows = np.flatnonzero(counts)
    if Y.shape[1] == 1:
        return rows[np.argsort(-Y[rows, 0], kind="stable")]
    order = np.lexsort((-Y[rows, 1], -Y[rows, 0]))
    left: list[int] = rows[order].tolist()
    layers: list[int] = []
    while left and len(layers) < _POPULATION:
        highest, rest = -np.inf, []
        for row in left:  # of falling first objective: on the front where the second one rises
            if Y[row, 1] > highest:
                layers.append(row)
                highest = Y[row, 1]
            else:
                rest.append(row)
        left = rest
    return np.array(layers, dtype=np.intp)


def _folded(X: Array) -> Array:
    """Moves coordinates beyond 0 or 1 back inside by as much as they were outside."""
    return np.asarray(np.clip(1.0 - np.abs(1.0 - np.abs(X)), 0.0, 1.0))
