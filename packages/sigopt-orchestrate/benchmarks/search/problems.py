"""The problems that the optimiser and its peers are measured on, as experiments and functions.

Every problem is to be minimised. All regrets are of true values: what a peer is told may be noisy,
and where it is, the regret is that of the point it has seen the best report of.

Half of it was there to tune on: `TUNING` says which problems, and of those the seeds below 10.
"""

import functools
import itertools
import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Assignments = Mapping[str, Any]
Values = dict[str, float]

TUNING = ("branin", "hartmann6", "levy5", "hpobench-car", "hpobench-phoneme", "hpobench-vehicle",
          "hpobench-australian", "hpolib-naval_propulsion", "hpolib-protein_structure",
          "nasbench201-cifar10", "hartmann6-noisy", "gardner", "branin-currin")  # fmt: skip
TUNING_SEEDS = range(10)


@dataclass(frozen=True)
class Problem:
    """Something to minimise.

    Attributes:
        parameters: As in an experiment file.
        report: What a trial would report of an assignment: each metric's number. The generator
            is for its noise.
        regret: How far the best of some (assignments, report) pairs is from the optimum.
        budget: How many evaluations a cell makes.
        objectives: The metrics to minimise.
        constraints: Metrics that are to be at most 0.
        conditionals: As in an experiment file.
    """

    name: str
    parameters: Sequence[Mapping[str, Any]]
    report: Callable[[Assignments, random.Random], Values]
    regret: Callable[[Sequence[tuple[Assignments, Values]]], float]
    budget: int
    objectives: tuple[str, ...] = ("f",)
    constraints: tuple[str, ...] = ()
    conditionals: Sequence[Mapping[str, Any]] = field(default=())


def double(name: str, low: float, high: float) -> dict[str, Any]:
    """A double parameter."""
    return {"name": name, "type": "double", "bounds": {"min": low, "max": high}}


def integer(name: str, low: int, high: int) -> dict[str, Any]:
    """An int parameter."""
    return {"name": name, "type": "int", "bounds": {"min": low, "max": high}}


def categorical(name: str, values: Sequence[str]) -> dict[str, Any]:
    """A categorical parameter."""
    return {"name": name, "type": "categorical", "categorical_values": list(values)}


def branin(x: Sequence[float]) -> float:
    """On [-5, 10] x [0, 15]; three minima of .397887."""
    a = x[1] - 5.1 / (4 * math.pi**2) * x[0] ** 2 + 5 / math.pi * x[0] - 6
    return a * a + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x[0]) + 10


_ALPHA = (1.0, 1.2, 3.0, 3.2)
_A = ((10, 3, 17, 3.5, 1.7, 8), (0.05, 10, 17, 0.1, 8, 14),
      (3, 3.5, 1.7, 10, 17, 8), (17, 8, 0.05, 10, 0.1, 14))  # fmt: skip
_P = ((1312, 1696, 5569, 124, 8283, 5886), (2329, 4135, 8307, 3736, 1004, 9991),
      (2348, 1451, 3522, 2883, 3047, 6650), (4047, 8828, 8732, 5743, 1091, 381))  # fmt: skip


def hartmann6(x: Sequence[float]) -> float:
    """On [0, 1]^6; the minimum is -3.32237."""
    total = 0.0
    for alpha, a, p in zip(_ALPHA, _A, _P, strict=True):
        inner = sum(ai * (xi - pi * 1e-4) ** 2 for ai, xi, pi in zip(a, x, p, strict=True))
        total += alpha * math.exp(-inner)
    return -total


def ackley(x: Sequence[float]) -> float:
    """On [-5, 10]^d, so that the minimum of 0 at the origin is not in the middle."""
    n = len(x)
    root = math.sqrt(sum(v * v for v in x) / n)
    waves = sum(math.cos(2 * math.pi * v) for v in x) / n
    return -20 * math.exp(-0.2 * root) - math.exp(waves) + 20 + math.e


def levy(x: Sequence[float]) -> float:
    """On [-10, 10]^d; the minimum is 0, at 1."""
    w = [1 + (v - 1) / 4 for v in x]
    first = math.sin(math.pi * w[0]) ** 2
    inner = sum((v - 1) ** 2 * (1 + 10 * math.sin(math.pi * v + 1) ** 2) for v in w[:-1])
    return first + inner + (w[-1] - 1) ** 2 * (1 + math.sin(2 * math.pi * w[-1]) ** 2)


def rosenbrock(x: Sequence[float]) -> float:
    """On [-5, 10]^d; the minimum is 0, at 1."""
    return sum(100 * (b - a * a) ** 2 + (1 - a) ** 2 for a, b in itertools.pairwise(x))


def currin(x: Sequence[float]) -> float:
    """On [0, 1]^2, to be minimised beside Branin."""
    factor = 1 - math.exp(-1 / (2 * x[1])) if x[1] > 0 else 1.0
    numerator = 2300 * x[0] ** 3 + 1900 * x[0] ** 2 + 2092 * x[0] + 60
    return factor * numerator / (100 * x[0] ** 3 + 500 * x[0] ** 2 + 4 * x[0] + 20)


def _numbers(assignments: Assignments) -> list[float]:
    return [float(value) for value in assignments.values()]


def _single(  # noqa: PLR0917
    name: str,
    function: Callable[[Sequence[float]], float],
    bounds: Sequence[tuple[float, float]],
    optimum: float,
    budget: int,
    noise: float = 0.0,
) -> Problem:
    def report(assignments: Assignments, rng: random.Random) -> Values:
        value = function(_numbers(assignments))
        return {"f": value + rng.gauss(0, noise) if noise else value}

    def regret(trials: Sequence[tuple[Assignments, Values]]) -> float:
        seen = min(trials, key=lambda trial: trial[1]["f"])
        return function(_numbers(seen[0])) - optimum

    parameters = [double(f"x{i}", *bound) for i, bound in enumerate(bounds)]
    return Problem(name, parameters, report, regret, budget)


def _constrained(  # noqa: PLR0917
    name: str,
    functions: Callable[[Sequence[float]], tuple[float, float]],
    bounds: Sequence[tuple[float, float]],
    optimum: float,
    worst: float,
    budget: int,
) -> Problem:
    def report(assignments: Assignments, rng: random.Random) -> Values:  # noqa: ARG001
        value, excess = functions(_numbers(assignments))
        return {"f": value, "c": excess}

    def regret(trials: Sequence[tuple[Assignments, Values]]) -> float:
        return min((v["f"] for _, v in trials if v["c"] <= 0), default=worst) - optimum

    parameters = [double(f"x{i}", *bound) for i, bound in enumerate(bounds)]
    return Problem(name, parameters, report, regret, budget, constraints=("c",))


def _gardner(x: Sequence[float]) -> tuple[float, float]:
    """Gardner et al. (2014), first simulation, on [0, 6]^2."""
    value = math.cos(2 * x[0]) * math.cos(x[1]) + math.sin(x[0])
    return value, math.cos(x[0] + x[1]) - 0.5


def _ball(x: Sequence[float]) -> tuple[float, float]:
    """Hartmann6 inside the unit ball, whose minimum lies in it."""
    return hartmann6(x), math.hypot(*x) - 1


@functools.lru_cache(maxsize=1)
def _gardner_optimum() -> float:
    """On a grid, then on ever finer ones round its best point."""
    centre, width = (3.0, 3.0), 3.0
    best = math.inf
    while width > 1e-7:
        steps = [width * (i / 60 - 1) for i in range(121)]
        points = ((min(max(centre[0] + a, 0), 6), min(max(centre[1] + b, 0), 6))
                  for a in steps for b in steps)  # fmt: skip
        found = min((f, p) for p in points for f, c in [_gardner(p)] if c <= 0)
        best, centre, width = min(best, found[0]), found[1], width / 10
    return best


def hypervolume(points: Sequence[tuple[float, float]], reference: tuple[float, float]) -> float:
    """The area that minimised pairs dominate below `reference`."""
    volume, reached = 0.0, reference[1]
    for first, second in sorted(points):
        if first < reference[0] and second < reached:
            volume += (reference[0] - first) * (reached - second)
            reached = second
    return volume


def _pair(  # noqa: PLR0917
    name: str,
    functions: Callable[[Sequence[float]], tuple[float, float]],
    dimension: int,
    reference: tuple[float, float],
    largest: float,
    budget: int,
) -> Problem:
    def report(assignments: Assignments, rng: random.Random) -> Values:  # noqa: ARG001
        first, second = functions(_numbers(assignments))
        return {"f": first, "g": second}

    def regret(trials: Sequence[tuple[Assignments, Values]]) -> float:
        return largest - hypervolume([(v["f"], v["g"]) for _, v in trials], reference)

    parameters = [double(f"x{i}", 0, 1) for i in range(dimension)]
    return Problem(name, parameters, report, regret, budget, objectives=("f", "g"))


def _branin_currin(x: Sequence[float]) -> tuple[float, float]:
    return branin((15 * x[0] - 5, 15 * x[1])), currin(x)


def _zdt1(x: Sequence[float]) -> tuple[float, float]:
    g = 1 + 9 * sum(x[1:]) / (len(x) - 1)
    return x[0], g * (1 - math.sqrt(x[0] / g))


def _tree(assignments: Assignments) -> float:
    """Jenatton et al. (2017): which numbers count depends on three choices; the minimum is .1."""
    a = assignments
    if a["a"] == "0":
        rest = a["x4"] ** 2 + 0.1 if a["b"] == "0" else a["x5"] ** 2 + 0.2
        return rest + a["r8"]
    rest = a["x6"] ** 2 + 0.3 if a["c"] == "0" else a["x7"] ** 2 + 0.4
    return rest + a["r9"]


def _conditional() -> Problem:
    conditions = {"x4": {"a": ["0"], "b": ["0"]}, "x5": {"a": ["0"], "b": ["1"]},
                  "x6": {"a": ["1"], "c": ["0"]}, "x7": {"a": ["1"], "c": ["1"]},
                  "r8": {"a": ["0"]}, "r9": {"a": ["1"]}}  # fmt: skip
    return Problem(
        "tree",
        [{**double(name, 0, 1), "conditions": wanted} for name, wanted in conditions.items()],
        lambda assignments, rng: {"f": _tree(assignments)},  # noqa: ARG005
        lambda trials: min(_tree(a) for a, _ in trials) - 0.1,
        40,
        conditionals=[{"name": name, "values": ["0", "1"]} for name in "abc"],
    )


def _box(low: float, high: float, dimension: int) -> list[tuple[float, float]]:
    return [(low, high)] * dimension


SYNTHETIC = {
    "branin": lambda: _single("branin", branin, [(-5, 10), (0, 15)], 0.39788735772973816, 30),
    "hartmann6": lambda: _single("hartmann6", hartmann6, _box(0, 1, 6), -3.3223680114155147, 60),
    "ackley5": lambda: _single("ackley5", ackley, _box(-5, 10, 5), 0.0, 60),
    "levy5": lambda: _single("levy5", levy, _box(-10, 10, 5), 0.0, 60),
    "rosenbrock4": lambda: _single("rosenbrock4", rosenbrock, _box(-5, 10, 4), 0.0, 60),
}
WIDE = {
    f"{name}-64": functools.partial(_single, f"{name}-64", function, bounds, optimum, 64)
    for name, function, bounds, optimum in (
        ("hartmann6", hartmann6, _box(0, 1, 6), -3.3223680114155147),
        ("levy5", levy, _box(-10, 10, 5), 0.0),
    )
}
SUITES = {
    "branin-noisy": lambda: _single(
        "branin-noisy", branin, [(-5, 10), (0, 15)], 0.39788735772973816, 40, noise=5.0
    ),
    "hartmann6-noisy": lambda: _single(
        "hartmann6-noisy", hartmann6, _box(0, 1, 6), -3.3223680114155147, 60, noise=0.332
    ),
    "gardner": lambda: _constrained("gardner", _gardner, _box(0, 6, 2), _gardner_optimum(), 2, 30),
    "hartmann6-ball": lambda: _constrained(
        "hartmann6-ball", _ball, _box(0, 1, 6), -3.3223680114155147, 0.0, 40
    ),
    "tree": _conditional,
    "branin-currin": lambda: _pair("branin-currin", _branin_currin, 2, (18.0, 6.0), 59.36, 40),
    "zdt1": lambda: _pair("zdt1", _zdt1, 4, (1.1, 6.0), 17 / 3 + 0.6, 40),
}
