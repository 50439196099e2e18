import math
import random
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sigopt_orchestrate.optimizer.space import Space

PLACES = st.floats(0, 1, exclude_max=True)


def _within(parameter: Any, value: object) -> bool:
    if parameter.type == "categorical":
        return any(value == v and type(value) is type(v) for v in parameter.categorical_values)
    wanted = float if parameter.type == "double" else int
    return type(value) is wanted and parameter.bounds.min <= value <= parameter.bounds.max


@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_a_drawn_point_decodes_into_the_space_and_comes_back(data, build, parameter_lists) -> None:
    experiment = build(data.draw(parameter_lists))
    space = Space(experiment.parameters)
    point = space.draw([data.draw(PLACES) for _ in experiment.parameters])
    assignments = space.decode(point)
    assert all(_within(p, assignments[p.name]) for p in experiment.parameters)
    again = space.decode(space.encode(assignments))
    for parameter in experiment.parameters:
        name = parameter.name
        if parameter.type == "double":
            width = parameter.bounds.max - parameter.bounds.min
            largest = max(abs(parameter.bounds.max), abs(parameter.bounds.min))
            assert abs(again[name] - assignments[name]) <= 1e-9 * width + 1e-12 * largest
        else:
            assert again[name] == assignments[name]


@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_neighbours_and_perturbations_are_legal_and_elsewhere(data, build, parameter_lists) -> None:
    experiment = build(data.draw(parameter_lists))
    space = Space(experiment.parameters)
    point = space.draw([data.draw(PLACES) for _ in experiment.parameters])
    rng = random.Random(data.draw(st.integers(0, 99)))
    near = [*space.neighbours(point), *(space.perturb(point, 0.1, rng) for _ in range(5))]
    for other in near:
        assert all(_within(p, space.decode(other)[p.name]) for p in experiment.parameters)
    assert all(other != point for other in space.neighbours(point))


def test_bounds_and_the_middle_are_where_the_scale_says(build) -> None:
    space = Space(
        build(
            [
                {"name": "a", "type": "double", "bounds": {"min": -1e308, "max": 1e308}},
                {
                    "name": "b",
                    "type": "double",
                    "bounds": {"min": 1e-5, "max": 1e-1},
                    "transformation": "log",
                },
                {
                    "name": "c",
                    "type": "int",
                    "bounds": {"min": 1, "max": 10_000},
                    "transformation": "log",
                },
            ]
        ).parameters
    )
    assert space.decode([0, 0, 0]) == {"a": -1e308, "b": 1e-5, "c": 1}
    assert space.decode([1, 1, 1]) == {"a": 1e308, "b": 1e-1, "c": 10_000}
    middle = space.decode([0.5, 0.5, 0.5])
    assert middle == {"a": 0.0, "b": pytest.approx(1e-3), "c": 100}
    assert space.encode(middle) == pytest.approx((0.5, 0.5, 0.5))


def test_every_integer_and_every_category_is_equally_likely(build) -> None:
    space = Space(
        build(
            [
                {"name": "n", "type": "int", "bounds": {"min": -1, "max": 2}},
                {"name": "c", "type": "categorical", "categorical_values": ["a", 1, 2.5, "b"]},
            ]
        ).parameters
    )
    drawn = [space.decode(space.draw([(i + 0.5) / 400] * 2)) for i in range(400)]
    for name in ("n", "c"):
        counts = Counter(a[name] for a in drawn)
        assert len(counts) == 4
        assert all(abs(count - 100) <= 1 for count in counts.values())


def test_a_finite_space_lists_its_points_once_each(build) -> None:
    levels = {"name": "n", "type": "int", "bounds": {"min": 1, "max": 9}, "transformation": "log"}
    names = {"name": "c", "type": "categorical", "categorical_values": ["a", "b", "c"]}
    space = Space(build([levels, names]).parameters)
    listed = [tuple(space.decode(p).values()) for p in space.all_points()]
    assert space.size == len(listed) == len(set(listed)) == 27
    assert all(space.encode(space.decode(p)) == p for p in space.all_points())


def test_an_infinite_space_has_no_list(build) -> None:
    space = Space(build().parameters)
    assert space.size is None
    with pytest.raises(ValueError, match="double"):
        space.all_points()


def test_assignments_must_fit_the_space(build) -> None:
    space = Space(
        build([{"name": "c", "type": "categorical", "categorical_values": ["a", "b"]}]).parameters
    )
    with pytest.raises(KeyError):
        space.encode({})
    with pytest.raises(ValueError, match="not in"):
        space.encode({"c": "z"})
    assert math.isclose(space.encode({"c": "b"})[0], 1.0)
