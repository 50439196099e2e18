import json
import subprocess
import sys

import pytest

from sigopt_orchestrate.optimizer.points import Observed
from sigopt_orchestrate.optimizer.suggest import first_points, is_feasible, suggest, wants_model

DEFAULTS = [
    {"name": "x", "type": "double", "bounds": {"min": 0, "max": 1}, "default": 0.3},
    {"name": "n", "type": "int", "bounds": {"min": 1, "max": 64}, "default": 8},
]


def _ok(count: int) -> list[Observed]:
    return [Observed({"x": i / 100, "y": 0.5}, (float(i),)) for i in range(count)]


def test_the_defaults_come_first_and_once(build) -> None:
    experiment = build(DEFAULTS)
    first = suggest(experiment, [], [])
    assert (first.source, first.assignments) == ("default", {"x": 0.3, "n": 8})
    for second in (
        suggest(experiment, [], [first.assignments]),
        suggest(experiment, [Observed(first.assignments, None)], []),
    ):
        assert second.source == "quasi-random"
        assert second.assignments != first.assignments


def test_without_all_defaults_the_centre_takes_their_place(build) -> None:
    experiment = build([DEFAULTS[0], {**DEFAULTS[1], "default": None}])
    first = suggest(experiment, [], [])
    assert (first.source, first.assignments) == ("centre", {"x": 0.3, "n": 32})


def test_the_spread_depends_on_how_many_are_out_not_on_their_order_or_state(build) -> None:
    experiment = build(budget=40)
    observed, more = Observed({"x": 0.1, "y": 0.2}, (1.0,)), Observed({"x": 0.3, "y": 0.1}, None)
    expected = suggest(experiment, [observed, more], [])
    assert suggest(experiment, [more, observed], []) == expected
    assert suggest(experiment, [observed], [more.assignments]) == expected
    assert suggest(experiment, [], [observed.assignments, more.assignments]) == expected
    assert suggest(build(budget=40, seed=1), [observed, more], []) != expected


@pytest.mark.parametrize("algorithm", ["random", "quasi-random"])
def test_algorithms_without_a_model_stay_without(build, algorithm: str) -> None:
    experiment = build(algorithm=algorithm)
    assert suggest(experiment, [], []).source == algorithm
    assert suggest(experiment, _ok(39), []).source == algorithm


@pytest.mark.parametrize(
    ("dimension", "budget", "expected"),
    [(1, 100, 4), (2, 100, 4), (6, 100, 8), (30, 100, 10), (30, 30, 6), (6, 6, 3), (6, 1, 2)],
)
def test_first_points_are_few(dimension: int, budget: int, expected: int) -> None:
    assert first_points(dimension, budget) == expected


def test_failures_do_not_count_and_pending_ones_count_in_part(build) -> None:
    experiment = build()  # four first points
    failed = [Observed(o.assignments, None) for o in _ok(20)]
    nan = [Observed(o.assignments, (float("nan"),)) for o in _ok(20)]
    waiting = [o.assignments for o in _ok(20)]
    assert wants_model(experiment, _ok(4), [])
    assert wants_model(experiment, _ok(2), waiting[:2])
    assert not wants_model(experiment, _ok(1), waiting)
    assert not wants_model(experiment, _ok(3), [])
    assert not wants_model(experiment, _ok(3) + failed + nan, [])
    assert wants_model(experiment, _ok(4) + failed + nan, [])


def test_only_failures_lead_elsewhere_for_ever(build) -> None:
    experiment = build([{"name": "n", "type": "int", "bounds": {"min": 1, "max": 40}}])
    history: list[Observed] = []
    for _ in range(40):
        history.append(Observed(suggest(experiment, history, []).assignments, None))
    assert sorted(o.assignments["n"] for o in history) == list(range(1, 41))


def test_a_quasi_random_suggestion_imports_no_numerics(build) -> None:
    script = f"""
import sys
from sigopt_orchestrate.optimizer import Observed
from sigopt_orchestrate.optimizer.process import suggest
from sigopt_orchestrate.spec import Experiment
experiment = Experiment.model_validate_json({build().model_dump_json(by_alias=True)!r})
print(suggest(experiment, [Observed({{"x": 0.5, "y": 0.5}}, (1.0,))], []).source)
print(*[name for name in ("torch", "scipy", "numpy") if name in sys.modules])
"""
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True).stdout
    assert out.decode().split("\n") == ["quasi-random", "", ""]


@pytest.mark.parametrize(
    ("count", "kind", "least", "feasible"),
    [
        (2, "double", 3, False),
        (2, "double", 2, True),
        (30, "double", 30.5, False),
        (30, "double", 29.9, True),
        (3, "int", 4, False),
        (3, "int", 3, True),
    ],
)
def test_a_region_without_a_point_is_told_from_a_corner(
    build, count: int, kind: str, least: float, feasible: bool
) -> None:
    bounds = {"min": 0, "max": 1}
    experiment = build(
        parameters=[{"name": f"p{n}", "type": kind, "bounds": bounds} for n in range(count)],
        linear_constraints=[
            {
                "type": "greater_than",
                "threshold": least,
                "terms": [{"name": f"p{n}", "weight": 1} for n in range(count)],
            }
        ],
    )
    assert is_feasible(experiment) is feasible


def test_an_experiment_survives_the_way_to_the_process(build) -> None:
    experiment = build(DEFAULTS)
    text = experiment.model_dump_json(by_alias=True)
    assert type(experiment).model_validate_json(text) == experiment
    assert json.loads(text)["optimizer"]["seed"] == 0
