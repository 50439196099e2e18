import numpy as np
import pytest

from sigopt_orchestrate.optimizer.evolution import evolved_share, offspring, rank
from sigopt_orchestrate.optimizer.improvement import front
from sigopt_orchestrate.optimizer.lattice import Lattice
from sigopt_orchestrate.optimizer.points import Observed
from sigopt_orchestrate.optimizer.space import Space
from sigopt_orchestrate.optimizer.suggest import suggest

PARAMETERS = [
    {"name": "x", "type": "double", "bounds": {"min": 0, "max": 1}},
    {"name": "n", "type": "int", "bounds": {"min": 1, "max": 9}},
    {"name": "c", "type": "categorical", "categorical_values": ["a", "b", "c"]},
    {"name": "y", "type": "double", "bounds": {"min": 0, "max": 1}, "conditions": {"k": ["u"]}},
]


def test_the_share_of_offspring_grows_without_a_jump() -> None:
    shares = [evolved_share(n) for n in range(0, 50_000, 100)]
    assert shares[0] == shares[20] == 0
    assert np.diff(shares).min() >= 0
    assert np.diff(shares).max() < 0.01
    assert 0.5 < shares[-1] < 1


def test_offspring_are_legal_new_and_as_the_seed_has_them(build) -> None:
    terms = [{"name": "x", "weight": 1}, {"name": "z", "weight": 1}]
    constraint = {"type": "less_than", "threshold": 1.5, "terms": terms}
    z = {**PARAMETERS[0], "name": "z"}
    conditionals = [{"name": "k", "values": ["u", "v"]}]
    space = Space(
        build([*PARAMETERS, z], conditionals=conditionals, linear_constraints=[constraint])
    )
    lattice = Lattice(space)
    population = lattice.draw(np.random.default_rng(0), 80)
    for seed in range(20):
        child, again = (
            offspring(
                lattice, population, population[:40], population[40:], np.random.default_rng(seed)
            )
            for _ in range(2)
        )
        assert child is not None
        assert (child == again).all()
        point = tuple(child.tolist())
        assert space.snap(point) == point
        assert space.allows(point)
        assert np.abs(population - child).max(1).min() > 0


def test_an_exhausted_space_has_no_offspring(build) -> None:
    lattice = Lattice(Space(build([PARAMETERS[1]])))
    everything = lattice.everything()
    assert (
        offspring(lattice, everything, everything[:5], everything[5:], np.random.default_rng(0))
        is None
    )


def test_generations_close_in_on_the_optimum(build) -> None:
    parameters = [{**PARAMETERS[0], "name": f"x{i}"} for i in range(4)]
    lattice = Lattice(Space(build(parameters)))
    rng = np.random.default_rng(1)
    X = lattice.draw(rng, 60)

    def value(points: np.ndarray) -> np.ndarray:
        return -((points - 0.3) ** 2 * [1, 10, 100, 1]).sum(1)

    for _ in range(800):
        ranked = X[rank(value(X)[:, None], np.ones(len(X), dtype=bool))]
        child = offspring(lattice, ranked, X, X[:0], rng)
        assert child is not None
        X = np.concatenate((X, child[None]))
    assert value(X).max() > -1e-3


def test_of_two_objectives_the_fronts_come_in_turn_and_what_does_not_count_never() -> None:
    Y = np.random.default_rng(2).random((50, 2))
    counts = np.arange(50) != np.argmax(Y[:, 0])
    ordered = rank(Y, counts)
    assert set(ordered.tolist()) == set(np.flatnonzero(counts).tolist())
    first = front(Y[counts])
    assert sorted(map(tuple, Y[ordered[: len(first)]])) == sorted(map(tuple, first))


@pytest.mark.parametrize("size", [1_900, 6_000, 25_000])
def test_a_search_goes_on_as_well_with_offspring_as_without(build, size: int) -> None:
    rng = np.random.default_rng(1)

    def bowl(x: float, y: float) -> float:
        return -((x - 0.3) ** 2) - (y - 0.3) ** 2

    points = 0.3 + 0.2 * rng.standard_normal((size, 2))
    points = points[((points > 0) & (points < 1)).all(1)].tolist()
    history = [Observed({"x": x, "y": y}, (bowl(x, y),)) for x, y in points]
    found = suggest(build(budget=50_000), history, []).assignments
    assert bowl(float(found["x"]), float(found["y"])) > -1e-3
