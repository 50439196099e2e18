import math
import random
import statistics
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sigopt_orchestrate.optimizer import bayesian
from sigopt_orchestrate.optimizer.points import Observed
from sigopt_orchestrate.optimizer.suggest import suggest, suggest_plainly
from sigopt_orchestrate.spec import Assignments, Experiment

N = {"name": "n", "type": "int", "bounds": {"min": 1, "max": 2}}
CHOICE = {"name": "c", "type": "categorical", "categorical_values": ["a", "b", "c", "d"]}
X = {"name": "x", "type": "double", "bounds": {"min": 0, "max": 1}}
RATE = {
    "name": "lr",
    "type": "double",
    "bounds": {"min": 1e-5, "max": 1},
    "transformation": "log",
}
WIDTH = {"name": "width", "type": "int", "bounds": {"min": 8, "max": 512}, "transformation": "log"}


def _bowl(assignments: Assignments) -> float:
    return -sum((float(v) - 0.3) ** 2 for v in assignments.values() if not isinstance(v, str))


def _spread(experiment: Experiment, count: int, values: Any = None) -> list[Observed]:
    """The first points of the experiment, observed."""
    history: list[Observed] = []
    for i in range(count):
        assignments = suggest_plainly(experiment, history, []).assignments
        value = _bowl(assignments) if values is None else values[i]
        reported = None if value is None else (value,) * len(experiment.objectives)
        history.append(Observed(assignments, reported))
    return history


def _check(experiment: Experiment, assignments: Assignments) -> None:
    assert list(assignments) == [p.name for p in experiment.parameters]
    for parameter in experiment.parameters:
        value = assignments[parameter.name]
        if parameter.type == "categorical":
            assert any(value == v and type(value) is type(v) for v in parameter.categorical_values)
        else:
            assert type(value) is (float if parameter.type == "double" else int)
            assert parameter.bounds.min <= value <= parameter.bounds.max


@settings(max_examples=5, deadline=None, derandomize=True)
@given(data=st.data())
def test_suggestions_lie_in_any_space(data, build, parameter_lists) -> None:
    experiment = build(data.draw(parameter_lists))
    values = st.one_of(st.none(), st.floats(-1e300, 1e300))
    reported = [1.0, 2.0, 3.0, 4.0, 5.0, *data.draw(st.lists(values, max_size=4))]
    history = _spread(experiment, len(reported), reported)
    suggestion = suggest(experiment, history, [])
    _check(experiment, suggestion.assignments)


@pytest.mark.parametrize(
    "values",
    [
        [7.0] * 6,
        [1e300, -1e300, 1e299, 0.0, 5e299, 1e300],
        [1e-300, 2e-300, 3e-300, 0.0, 1e-300, 5e-300],
        [1.0, 2.0, 3.0, 4.0, 5.0, 1e300],
        [1.0, 2.0, 3.0, 4.0, None, None],
        [1.0, 2.0, float("nan"), 4.0, 5.0, float("-inf")],
    ],
    ids=["equal", "huge", "tiny", "outlier", "failures", "not finite"],
)
@pytest.mark.parametrize("objectives", [("maximize",), ("maximize", "minimize")])
def test_odd_values_do_not_stop_the_model(build, values, objectives) -> None:
    experiment = build(objectives=objectives)
    suggestion = suggest(experiment, _spread(experiment, 6, values), [])
    assert suggestion.source == "bayesian"
    _check(experiment, suggestion.assignments)


@pytest.mark.parametrize("parameters", [[X], [CHOICE, WIDTH], [N, X], [RATE, CHOICE, WIDTH, N]])
def test_the_model_suggests_in_mixed_spaces(build, parameters) -> None:
    experiment = build(parameters)
    history = _spread(experiment, 6)
    suggestion = suggest(experiment, history, [])
    assert suggestion.source == "bayesian"
    assert suggestion.assignments not in [o.assignments for o in history]
    _check(experiment, suggestion.assignments)


@pytest.mark.parametrize("parameters", [[CHOICE, {**N, "bounds": {"min": 1, "max": 3}}]])
def test_a_finite_space_is_exhausted_without_repeats_then_repeats(build, parameters) -> None:
    experiment = build(parameters)
    history: list[Observed] = []
    while len(history) < 12:
        assignments = suggest(experiment, history, []).assignments
        assert assignments not in [o.assignments for o in history]
        history.append(Observed(assignments, (float(assignments["c"] == "b"),)))
    _check(experiment, suggest(experiment, history, []).assignments)


def test_the_best_category_is_found(build) -> None:
    experiment = build([CHOICE, X])
    history = _spread(experiment, 8)
    history = [
        Observed(o.assignments, (_bowl(o.assignments) + (o.assignments["c"] == "c"),))
        for o in history
    ]
    assert suggest(experiment, history, []).assignments["c"] == "c"


def test_the_same_arguments_give_the_same_bits_in_any_order(build) -> None:
    experiment = build([RATE, CHOICE, X])
    history = _spread(experiment, 9)
    pending = [o.assignments for o in history[7:]]
    expected = suggest(experiment, history[:7], pending)
    assert expected.source == "bayesian"
    assert suggest(experiment, history[6::-1], pending[::-1]) == expected


def test_minimising_mirrors_maximising(build) -> None:
    experiment = build()
    history = _spread(experiment, 6)
    mirrored = [Observed(o.assignments, (-o.values[0],)) for o in history if o.values]
    expected = suggest(experiment, history, [])
    assert suggest(build(objectives=["minimize"]), mirrored, []) == expected


def test_duplicates_and_many_pending_points_are_no_trouble(build) -> None:
    experiment = build()
    history = _spread(experiment, 5) * 2
    pending: list[Assignments] = []
    for _ in range(20):
        pending.append(suggest_plainly(experiment, history, pending).assignments)
    suggestion = suggest(experiment, history, pending)
    assert suggestion.source == "bayesian"
    assert suggestion.assignments not in pending


@pytest.mark.parametrize("objectives", [("maximize",), ("maximize", "maximize")])
def test_pending_points_are_avoided(build, objectives) -> None:
    experiment = build(objectives=objectives)
    history = _spread(experiment, 8)
    pending: list[Assignments] = []
    for _ in range(4):
        pending.append(suggest(experiment, history, pending).assignments)
    gaps = [
        math.dist((a["x"], a["y"]), (b["x"], b["y"]))
        for i, a in enumerate(pending)
        for b in pending[:i]
    ]
    assert min(gaps) > 0.005


def test_the_model_closes_in_on_the_edge_of_a_failing_region(build) -> None:
    experiment = build([X])
    history: list[Observed] = []
    for _ in range(18):
        assignments = suggest(experiment, history, []).assignments
        x = float(assignments["x"])
        history.append(Observed(assignments, (x,) if x < 0.6 else None))
    assert max(o.values[0] for o in history if o.values) > 0.595
    assert all(0.55 < float(o.assignments["x"]) < 0.65 for o in history[-6:])


def _camel(assignments: Assignments) -> float:
    """The six-hump camel function, whose minimum is -1.0316."""
    x, y = (4 * float(assignments["x"]) - 2), (2 * float(assignments["y"]) - 1)
    return (4 - 2.1 * x**2 + x**4 / 3) * x**2 + x * y + (4 * y**2 - 4) * y**2


def _best(experiment: Experiment) -> float:
    history: list[Observed] = []
    while len(history) < experiment.budget:
        assignments = suggest(experiment, history, []).assignments
        history.append(Observed(assignments, (_camel(assignments),)))
    return min(o.values[0] for o in history if o.values)


def test_the_model_beats_the_spread_at_the_same_budget(build) -> None:
    found = {
        algorithm: statistics.median(
            _best(build(objectives=["minimize"], budget=14, seed=s, algorithm=algorithm))
            for s in range(3)
        )
        for algorithm in ("bayesian", "quasi-random")
    }
    assert found["bayesian"] < found["quasi-random"]
    assert found["bayesian"] < -0.95


def _hypervolume(experiment: Experiment) -> float:
    """Of a front between two corners of the square, over the point (-1, -1)."""
    history: list[Observed] = []
    while len(history) < experiment.budget:
        a = suggest(experiment, history, []).assignments
        x, y = float(a["x"]), float(a["y"])
        values = (-(x**2) - (y - 0.7) ** 2, (x - 1) ** 2 + (y - 0.7) ** 2)
        history.append(Observed(a, values))
    volume, reached = 0.0, -1.0
    for first, second in sorted(
        ((o.values[0], -o.values[1]) for o in history if o.values), reverse=True
    ):
        if first > -1 and second > reached:
            volume += (first + 1) * (second - reached)
            reached = second
    return volume


def test_two_objectives_reach_more_hypervolume_than_the_spread(build) -> None:
    # The first points of seed 0 show the middle of the front only; it must still find the ends.
    objectives = ["maximize", "minimize"]
    spread = [
        _hypervolume(build(objectives=objectives, budget=14, seed=s, algorithm="quasi-random"))
        for s in range(5)
    ]
    assert _hypervolume(build(objectives=objectives, budget=14, seed=0)) > max(spread) + 0.02


def test_a_failed_fit_gives_way_to_the_spread(build, monkeypatch, caplog) -> None:
    def fail(*_: object) -> None:
        raise ValueError("no luck")

    monkeypatch.setattr(bayesian, "of_objective", fail)
    experiment = build()
    history = _spread(experiment, 6)
    suggestion = suggest(experiment, history, [])
    assert suggestion == suggest_plainly(experiment, history, [])
    assert "no luck" in caplog.text


def test_a_plane_that_is_known_exactly_does_not_break_the_model(build) -> None:
    """All but sure of a hundred trials under way, it draws outcomes from next to nothing."""
    names = [f"x{n}" for n in range(6)]
    experiment = build([{**X, "name": name} for name in names])
    drawn = random.Random(0)
    trials = [{name: drawn.random() for name in names} for _ in range(160)]
    history = [Observed(one, (sum(one.values()),)) for one in trials[:60]]
    assert bayesian.propose(experiment, history, trials[60:]) is not None
