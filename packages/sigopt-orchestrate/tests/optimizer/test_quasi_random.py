import itertools
from itertools import islice

import pytest

from sigopt_orchestrate.optimizer.quasi_random import halton, next_point
from sigopt_orchestrate.optimizer.space import Space


@pytest.mark.parametrize("seed", [0, 1, 12345])
def test_each_coordinate_is_stratified_in_its_base(seed: int) -> None:
    for column, base in enumerate([2, 3, 5]):
        places = [p[column] for p in islice(halton(3, seed), base**2)]
        assert sorted(int(u * base**2) for u in places) == list(range(base**2))


def test_pairs_of_coordinates_fill_the_square_better_than_chance() -> None:
    for seed, (i, j) in itertools.product(range(3), [(0, 1), (2, 3), (4, 5)]):
        cells = {(int(4 * p[i]), int(4 * p[j])) for p in islice(halton(6, seed), 64)}
        assert len(cells) >= 15  # of 16; 64 points by chance leave 0.26 cells empty on average


def test_seeds_give_different_sequences_and_a_start_continues_one() -> None:
    assert list(islice(halton(2, 1), 8)) != list(islice(halton(2, 2), 8))
    assert list(islice(halton(2, 1), 8))[5:] == list(islice(halton(2, 1, start=5), 3))


def test_points_are_distinct_until_a_finite_space_is_exhausted(build) -> None:
    parameters = [
        {"name": "n", "type": "int", "bounds": {"min": 0, "max": 19}},
        {"name": "c", "type": "categorical", "categorical_values": ["a", "b", "c"]},
    ]
    space = Space(build(parameters))
    issued: list[tuple[float, ...]] = []
    for _ in range(60):
        issued.append(next_point(space, 0, issued, tuple))
    assert len(set(issued)) == space.size == 60
    assert next_point(space, 0, issued, tuple) in issued


def test_a_point_that_someone_else_took_is_skipped(build) -> None:
    space = Space(build())
    first = next_point(space, 0, [], tuple)
    second = next_point(space, 0, [first], tuple)
    assert next_point(space, 0, [second], tuple) not in (first, second)
