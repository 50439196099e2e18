import math
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sigopt_orchestrate.optimizer.lattice import Lattice
from sigopt_orchestrate.optimizer.space import Space

PLACES = st.floats(0, 1, exclude_max=True)


def _within(parameter: Any, value: object) -> bool:
    if parameter.type == "categorical":
        return any(value == v and type(value) is type(v) for v in parameter.categorical_values)
    wanted = float if parameter.type == "double" else int
    return type(value) is wanted and parameter.bounds.min <= value <= parameter.bounds.max


def _closeness(parameter: Any) -> float:
    """How near a place in [0, 1] comes back: large bounds that lie close together lose digits."""
    if parameter.type != "double":
        return 1e-9
    largest = max(abs(parameter.bounds.max), abs(parameter.bounds.min))
    return 1e-9 + 1e-12 * largest / (parameter.bounds.max - parameter.bounds.min)


@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_a_drawn_point_decodes_into_the_space_and_comes_back(data, build, parameter_lists) -> None:
    experiment = build(data.draw(parameter_lists))
    space = Space(experiment)
    point = space.draw([data.draw(PLACES) for _ in experiment.parameters])
    assignments = space.decode(point)
    assert all(_within(p, assignments[p.name]) for p in experiment.parameters)
    again = space.decode(space.encode(assignments))
    for parameter in experiment.parameters:
        name = parameter.name
        if parameter.type == "double":
            width = parameter.bounds.max - parameter.bounds.min
            assert abs(again[name] - assignments[name]) <= _closeness(parameter) * width
        else:
            assert again[name] == assignments[name]


@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_neighbours_and_perturbations_are_legal_and_elsewhere(data, build, parameter_lists) -> None:
    experiment = build(data.draw(parameter_lists))
    space = Space(experiment)
    lattice = Lattice(space)
    point = np.array(space.draw([data.draw(PLACES) for _ in experiment.parameters]))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    steps = lattice.steps(point)
    closeness = [_closeness(p) for p in experiment.parameters]
    for other in [*steps.tolist(), *lattice.near(rng, point, 0.1, 5).tolist()]:
        assert (np.abs(np.subtract(space.snap(other), other)) <= closeness).all()
        assert all(_within(p, space.decode(other)[p.name]) for p in experiment.parameters)
    assert not (steps == point).all(1).any()


def test_a_lattice_lists_the_points_of_its_space(build) -> None:
    levels = {"name": "n", "type": "int", "grid": [1, 10, 100], "transformation": "log"}
    names = {"name": "c", "type": "categorical", "categorical_values": ["a", "b", "c"]}
    space = Space(build([levels, names]))
    assert list(map(tuple, Lattice(space).everything().tolist())) == list(space.all_points())


def test_a_grid_has_only_its_values_and_each_equally_often(build) -> None:
    space = Space(build([{"name": "g", "type": "double", "grid": [0.1, 1, 50]}]))
    drawn = Counter(space.decode(space.draw([i / 300]))["g"] for i in range(300))
    assert drawn == {0.1: 100, 1.0: 100, 50.0: 100}


def test_parameters_that_do_not_count_are_left_out_and_all_stand_at_one_point(build) -> None:
    conditions = {"kind": ["deep"]}
    parameters = [
        {"name": "x", "type": "double", "bounds": {"min": 0, "max": 1}},
        {"name": "n", "type": "int", "bounds": {"min": 1, "max": 9}, "conditions": conditions},
    ]
    conditionals = [{"name": "kind", "values": ["flat", "deep"]}]
    space = Space(build(parameters, conditionals=conditionals))
    assert space.decode((0.0, 0.5, 0.9)) == {"kind": "flat", "x": 0.5}
    assert space.decode((1.0, 0.5, 1.0)) == {"kind": "deep", "x": 0.5, "n": 9}
    assert space.snap((0.0, 0.5, 0.9)) == space.snap((0.0, 0.5, 0.1))
    assert space.encode({"kind": "flat", "x": 0.5, "n": 9}) == space.encode(
        {"kind": "flat", "x": 0.5}
    )


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
        )
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
        )
    )
    drawn = [space.decode(space.draw([(i + 0.5) / 400] * 2)) for i in range(400)]
    for name in ("n", "c"):
        counts = Counter(a[name] for a in drawn)
        assert len(counts) == 4
        assert all(abs(count - 100) <= 1 for count in counts.values())


def test_a_finite_space_lists_its_points_once_each(build) -> None:
    levels = {"name": "n", "type": "int", "bounds": {"min": 1, "max": 9}, "transformation": "log"}
    names = {"name": "c", "type": "categorical", "categorical_values": ["a", "b", "c"]}
    space = Space(build([levels, names]))
    listed = [tuple(space.decode(p).values()) for p in space.all_points()]
    assert space.size == len(listed) == len(set(listed)) == 27
    assert all(space.encode(space.decode(p)) == p for p in space.all_points())


def test_an_infinite_space_has_no_list(build) -> None:
    space = Space(build())
    assert space.size is None
    with pytest.raises(ValueError, match="double"):
        space.all_points()


def test_assignments_must_fit_the_space(build) -> None:
    space = Space(build([{"name": "c", "type": "categorical", "categorical_values": ["a", "b"]}]))
    with pytest.raises(KeyError):
        space.encode({})
    with pytest.raises(ValueError, match="not in"):
        space.encode({"c": "z"})
    assert math.isclose(space.encode({"c": "b"})[0], 1.0)
