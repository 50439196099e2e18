"""B6: how far each searcher's choice lies below the best growth, on a measured landscape.

Task 2 of permuted MNIST on a frozen 784-312-128 network, without views: every growth of a coarse
lattice is trained twice for an epoch. Their means, interpolated in log2(1 + width), are the truth
on all growths of 0...30 by 0...30 units. The noise of a trial is that of the two trainings, by the
units of the second level: few units learn less reliably.
Searchers then meet truth + noise, many times over.
"""

from __future__ import annotations

import argparse
import itertools
import json
from pathlib import Path

import numpy as np
import torch
from scipy.interpolate import RegularGridInterpolator

from bocl.baselines import Progressive
from bocl.cache import FeatureCache
from bocl.candidate import Candidate
from bocl.complexity import base_cost, growth_cost
from bocl.growth import Growth
from bocl.parameters import Parameters
from bocl.search.bayesian import BayesianSearch
from bocl.search.controller import ReinforceSearch
from bocl.search.rivals import GridSearch, RandomSearch
from bocl.search.space import Space
from bocl.search.trials import Problem, Trial
from bocl.seeds import generator
from bocl.settings import Settings
from bocl.streams.registry import make_stream
from bocl.streams.samples import split_validation
from bocl.training import Schedule, accuracy, cross_entropy, train
from bocl.trunks.architectures import make_trunk
from bocl.views import View

MEASURED = Path(__file__).with_name("landscape.json")
COARSE = (0, 1, 3, 7, 15, 30)
MOST = 30
REPEATS = range(100, 120)  # the search's settings were chosen on others
AXIS = np.log2(1 + np.array(COARSE))
ALPHA = Settings().alpha


def feasible(widths: tuple[int, int]) -> bool:
    """Tells whether new units of the first level have a reader."""
    return Growth(widths).feasible


def measure() -> dict[str, object]:
    """Returns two accuracies of every coarse growth, the cost of every growth, and the noise."""
    first, second = make_stream("permuted-mnist", 2)
    trunk = make_trunk("mlp", (1, 28, 28))
    schedule = Schedule(epochs=1, batch=128, rate=4e-3)
    base = Progressive(trunk, schedule)
    base.fit_task(first.train)
    samples, validation = split_validation(second.train, 1 / 12, seed=0)
    caches = [FeatureCache(base.network, part, View(), None) for part in (samples, validation)]
    for cache in caches:
        cache.hold()
    largest = Growth((MOST, MOST))
    candidate = Candidate(
        trunk,
        largest,
        classes=10,
        inputs=784,
        old_units=[base.network.widths(level) for level in (1, 2)],
        gate_kind="both",
    )
    rows = []
    for widths in filter(feasible, itertools.product(COARSE, COARSE)):
        growth = Growth(widths)
        found = []
        for seed in range(2):
            start = candidate.slice(candidate.initial(generator("regret", seed, widths)), growth)
            parameters = Parameters(start)

            def loss(leaves, batch, _, growth=growth):
                return cross_entropy(candidate.logits(leaves, growth, batch), batch.targets)

            train(parameters, caches[0], loss, schedule, ("regret", str(widths), seed))
            leaves = parameters.leaves
            found.append(
                accuracy(lambda batch, w=leaves, g=growth: candidate.logits(w, g, batch), caches[1])
            )
        rows.append([*widths, *found])
        print(rows[-1], flush=True)
    unit = base_cost(trunk, trunk.base, 10, "parameters")
    costs = [
        [*widths, growth_cost(candidate, Growth(widths), "parameters") / unit]
        for widths in filter(feasible, itertools.product(range(MOST + 1), repeat=2))
    ]
    return {"rows": rows, "costs": costs, "validation": len(validation)}


def truth(rows: list[list[float]]) -> tuple[RegularGridInterpolator, np.ndarray]:
    """Returns accuracy by log2(1 + widths), and a trial's deviation by coarse upper width."""
    table = np.full((len(COARSE), len(COARSE)), np.nan)
    for low, high, one, other in rows:
        table[COARSE.index(int(low)), COARSE.index(int(high))] = (one + other) / 2
    table[1:, 0] = table[0, 0]  # dead ends are never asked about
    noise = [
        np.sqrt(np.mean([(row[2] - row[3]) ** 2 / 2 for row in rows if row[1] == high]))
        for high in COARSE
    ]
    return RegularGridInterpolator((AXIS, AXIS), table), np.array(noise)


def regrets(measured: dict[str, object], only: list[str]) -> dict[str, list[float]]:
    """Returns, by searcher and trials, the regret in points of each repeat; of all or some rows."""
    surface, noise = truth(measured["rows"])
    costs = {Growth((int(a), int(b))): cost for a, b, cost in measured["costs"]}
    choices = tuple(sorted(costs))
    points = np.log2(1 + np.array([growth.widths for growth in choices]))
    means = dict(zip(choices, surface(points).tolist(), strict=True))
    deviations = dict(zip(choices, np.interp(points[:, 1], AXIS, noise), strict=True))
    best = max(means[growth] - ALPHA * costs[growth] for growth in choices)
    space = Space((MOST, MOST), choices)
    searchers = {
        "Bayesian, 10 trials": lambda: BayesianSearch(10),
        "random, 10 trials": lambda: RandomSearch(10),
        "random, 50 trials": lambda: RandomSearch(50),
        "grid, 50 trials": lambda: GridSearch(50),
        "RCL's controller, 10 trials": lambda: ReinforceSearch(10),
        "RCL's controller, 50 trials": lambda: ReinforceSearch(50),
    }
    found: dict[str, list[float]] = {}
    for name, make in searchers.items():
        if only and name not in only:
            continue
        for repeat in REPEATS:
            draws = np.random.default_rng(repeat)
            problem = Problem(space, costs.__getitem__, ALPHA, measured["validation"], repeat)
            searcher, trials = make(), []
            while proposed := searcher.propose(problem, trials, 1):
                for growth in proposed:
                    drawn = min(1.0, means[growth] + deviations[growth] * draws.standard_normal())
                    trials.append(Trial(growth, drawn, costs[growth]))
            chosen = searcher.recommend(problem, trials).growth
            gap = best - (means[chosen] - ALPHA * costs[chosen])
            found.setdefault(name, []).append(100 * gap)
            found.setdefault(f"{name} used", []).append(len(trials))
        print(name, np.mean(found[name]), np.mean(found[f"{name} used"]), flush=True)
    return found


def main() -> None:
    """Measures the landscape once, then plays the searchers on it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", nargs="*", help="only these searchers; the others' rows stay")
    only = parser.parse_args().rows
    torch.set_num_threads(1)
    if not MEASURED.exists():
        MEASURED.write_text(json.dumps(measure()))
    measured = json.loads(MEASURED.read_text())
    measured["regrets"] = measured.get("regrets", {}) | regrets(measured, only)
    MEASURED.write_text(json.dumps(measured))


if __name__ == "__main__":
    main()
