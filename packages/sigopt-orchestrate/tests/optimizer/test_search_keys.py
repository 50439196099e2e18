"""What the search keys of an experiment promise, each on a search of its own."""

import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from sigopt_orchestrate.errors import MissingDependencyError
from sigopt_orchestrate.optimizer import peers
from sigopt_orchestrate.optimizer.points import Observed
from sigopt_orchestrate.optimizer.solutions import apart_from, solutions
from sigopt_orchestrate.optimizer.subset import LIMIT, most_telling
from sigopt_orchestrate.optimizer.suggest import suggest, suggest_several
from sigopt_orchestrate.spec import Assignments, Experiment


def _double(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "type": "double", "bounds": {"min": 0, "max": 1}, **more}


def _search(experiment: Experiment, evaluate: Any, count: int) -> list[Observed]:
    """A sequential search; `evaluate` gives the values of assignments, None for a failure."""
    history: list[Observed] = []
    while len(history) < count:
        assignments = suggest(experiment, history, []).assignments
        history.append(Observed(assignments, evaluate(assignments)))
    return history


def _bowl(a: Assignments, x: float = 0.3, y: float = 0.3) -> float:
    return -((float(a["x"]) - x) ** 2) - (float(a["y"]) - y) ** 2


def test_linear_constraints_hold_for_every_suggestion_and_the_best_on_their_face_is_found(
    build,
) -> None:
    terms = [{"name": "x", "weight": 1}, {"name": "y", "weight": 1}]
    experiment = build(linear_constraints=[{"type": "less_than", "threshold": 0.8, "terms": terms}])
    history = _search(experiment, lambda a: (_bowl(a, 0.7, 0.7),), 14)
    assert all(float(o.assignments["x"]) + float(o.assignments["y"]) <= 0.8 for o in history)
    best = max(history, key=lambda o: o.values or ())
    assert best.assignments["x"] == pytest.approx(0.4, abs=0.03)
    assert float(best.assignments["x"]) + float(best.assignments["y"]) > 0.79


def test_ints_satisfy_their_linear_constraints(build) -> None:
    parameters = [
        {"name": n, "type": "int", "bounds": {"min": 0, "max": 40}} for n in ("x", "y", "z")
    ]
    terms = [{"name": n, "weight": w} for n, w in (("x", 3), ("y", -2), ("z", 1))]
    both = [
        {"type": kind, "threshold": 17, "terms": terms} for kind in ("less_than", "greater_than")
    ]
    experiment = build(parameters, linear_constraints=both)
    for o in _search(experiment, lambda a: (-float(a["x"]),), 8):
        a = o.assignments
        assert 3 * int(a["x"]) - 2 * int(a["y"]) + int(a["z"]) == 17


def test_parameters_that_do_not_count_are_left_out_and_the_better_branch_is_found(build) -> None:
    parameters = [
        _double("x"),
        _double("y", conditions={"kind": ["a"]}),
        {"name": "n", "type": "int", "bounds": {"min": 1, "max": 9}, "conditions": {"kind": ["b"]}},
    ]
    conditionals = [{"name": "kind", "values": ["a", "b", "c"]}]
    experiment = build(parameters, conditionals=conditionals)

    def evaluate(a: Assignments) -> tuple[float]:
        assert set(a) == {"kind", "x"} | {"a": {"y"}, "b": {"n"}, "c": set()}[str(a["kind"])]
        bonus = abs(int(a["n"]) - 7) / 4 if a["kind"] == "b" else 1.5
        return (-bonus - (float(a["x"]) - 0.6) ** 2,)

    best = max(_search(experiment, evaluate, 24), key=lambda o: o.values or ())
    assert best.assignments["kind"] == "b"
    assert best.assignments["n"] == 7


def test_constraint_metrics_lead_to_the_best_point_that_meets_them(build) -> None:
    experiment = build(constraints=[0.2])

    def evaluate(a: Assignments) -> tuple[float, float]:
        return (_bowl(a, 0.9, 0.9), 0.5 - float(a["x"]))  # x <= .3

    history = _search(experiment, evaluate, 18)
    met = [o for o in history if o.values and o.values[1] >= 0.2]
    best = max(met, key=lambda o: o.values or ())
    assert best.assignments["x"] == pytest.approx(0.3, abs=0.02)
    assert best.assignments["y"] == pytest.approx(0.9, abs=0.05)


def test_as_long_as_no_trial_meets_the_constraints_the_search_looks_for_one(build) -> None:
    experiment = build(constraints=[0.0])

    def evaluate(a: Assignments) -> tuple[float, float]:
        return (0.0, 0.02 - (float(a["x"]) - 0.9) ** 2 - (float(a["y"]) - 0.1) ** 2)

    assert any(o.values and o.values[1] >= 0 for o in _search(experiment, evaluate, 14))


def test_a_threshold_keeps_two_objectives_on_its_good_side(build) -> None:
    experiment = build(objectives=["maximize", "maximize"])
    metrics = [m.model_dump() for m in experiment.metrics]
    metrics[0]["threshold"] = 0.7
    bounded = Experiment.model_validate(
        {**experiment.model_dump(by_alias=True), "metrics": metrics}
    )

    def evaluate(a: Assignments) -> tuple[float, float]:
        return (float(a["x"]), 1 - float(a["x"]) - (float(a["y"]) - 0.5) ** 2)

    late = _search(bounded, evaluate, 18)[9:]
    assert sum(float(o.assignments["x"]) >= 0.68 for o in late) >= 7
    assert sum(o.values[0] >= 0.68 for o in _search(experiment, evaluate, 18)[9:] if o.values) < 7


def test_priors_decide_where_the_search_begins_and_fade(build) -> None:
    normal = {"name": "normal", "mean": 0.8, "scale": 0.05}
    beta = {"name": "beta", "shape_a": 8, "shape_b": 2}
    experiment = build([_double("x", prior=normal), _double("y", prior=beta)])
    history = _search(experiment, lambda a: (_bowl(a, 0.2, 0.9),), 25)
    first = history[0].assignments
    assert (first["x"], first["y"]) == (pytest.approx(0.8), pytest.approx(7 / 8))
    assert all(0.6 < float(o.assignments["x"]) < 1 for o in history[:4])
    best = max(history, key=lambda o: o.values or ())
    assert best.assignments["x"] == pytest.approx(0.2, abs=0.05)


def test_tasks_are_named_and_cheap_ones_teach_about_the_full_one(build) -> None:
    tasks = [{"name": "full", "cost": 1}, {"name": "tenth", "cost": 0.1}]
    experiment = build(tasks=tasks, budget=60)

    def evaluate(a: Assignments) -> tuple[float]:
        return (_bowl(a) + (0.3 if a["task"] == "tenth" else 0),)

    history = _search(experiment, evaluate, 30)
    full = [o for o in history if o.assignments["task"] == "full"]
    assert 4 <= len(full) <= 15
    assert max(o.values[0] for o in full if o.values) > -2e-3


def test_several_solutions_lie_apart(build) -> None:
    experiment = build([_double("x")], num_solutions=2)

    def evaluate(a: Assignments) -> tuple[float]:
        x = float(a["x"])
        return (float(np.exp(-(((x - 0.2) / 0.1) ** 2)) + 0.8 * np.exp(-(((x - 0.8) / 0.1) ** 2))),)

    history = _search(experiment, evaluate, 20)
    X = np.array([[float(o.assignments["x"])] for o in history])
    values = np.array([o.values[0] for o in history if o.values])
    found = sorted(float(p[0]) for p in solutions(X, values, np.ones(20, dtype=bool), 2))
    assert found == [pytest.approx(0.2, abs=0.02), pytest.approx(0.8, abs=0.02)]


def test_the_gradient_of_keeping_apart_is_that_of_its_differences() -> None:
    belief = apart_from(np.array([0.4, 0.6]))
    X = np.random.default_rng(0).random((200, 2))
    value, gradient = belief(X)
    for j, step in enumerate(1e-6 * np.eye(2)):
        differences = (belief(X + step)[0] - belief(X - step)[0]) / 2e-6
        assert gradient[:, j] == pytest.approx(differences, rel=1e-3, abs=1e-3)
    inside = np.abs(X - [0.4, 0.6]).max(1) < 0.1
    assert value[inside].max() < -5


def test_grids_are_walked_through_once_each(build) -> None:
    parameters = [
        {"name": "g", "type": "double", "grid": [0.1, 1, 10]},
        {"name": "n", "type": "int", "bounds": {"min": 1, "max": 2}},
        {"name": "c", "type": "categorical", "categorical_values": ["a", "b"]},
    ]
    experiment = build(parameters, algorithm="grid")
    history = _search(experiment, lambda _: (0.0,), 12)
    assert len({tuple(o.assignments.values()) for o in history}) == 12
    assert suggest(experiment, history, []).assignments == history[0].assignments


def test_suggestions_for_the_same_time_differ(build) -> None:
    experiment = build()
    history = _search(experiment, lambda a: (_bowl(a),), 8)
    batch = suggest_several(experiment, history, [{"x": 0.31, "y": 0.3}], 6)
    points = [(s.assignments["x"], s.assignments["y"]) for s in batch]
    gaps = [np.abs(np.subtract(p, q)).max() for i, p in enumerate(points) for q in points[:i]]
    assert min(gaps) > 1e-3


def test_reported_standard_deviations_keep_a_lucky_draw_from_leading(build) -> None:
    history = [
        Observed({"x": x, "y": 0.5}, (v,), (s,))
        for x, v, s in [
            (0.1, 3.0, 5.0), (0.5, 1.0, 0.01), (0.6, 1.2, 0.01), (0.7, 1.3, 0.01), (0.9, 0.6, 0.01),
            (0.2, 0.2, 0.01), (0.15, 0.1, 0.01),
        ]
    ]  # fmt: skip
    trusted = [Observed(o.assignments, o.values) for o in history]
    experiment = build()
    assert float(suggest(experiment, history, []).assignments["x"]) > 0.4
    assert float(suggest(experiment, trusted, []).assignments["x"]) < 0.4


def test_the_same_seed_and_history_suggest_the_same_in_another_process(build) -> None:
    experiment = build()
    history = _search(experiment, lambda a: (_bowl(a),), 7)
    script = f"""
from sigopt_orchestrate.optimizer import Observed
from sigopt_orchestrate.optimizer.suggest import suggest
from sigopt_orchestrate.spec import Experiment
experiment = Experiment.model_validate_json({experiment.model_dump_json(by_alias=True)!r})
print(suggest(experiment, {history!r}, []))
"""
    # With one thread, as the optimiser's process has: another number adds up in another order.
    one = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    first, second = (
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, **one, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    )
    assert b"bayesian" in first
    assert first == second


def test_a_long_history_gives_up_only_its_least_telling_point() -> None:
    rng = np.random.default_rng(0)
    X, Y = rng.random((LIMIT + 1, 3)), rng.random((LIMIT + 1, 1))
    counts = np.ones(LIMIT + 1, dtype=bool)
    chosen = most_telling(X, Y, counts)
    assert len(chosen) == len(set(chosen.tolist())) == LIMIT
    (dropped,) = set(range(LIMIT + 1)) - set(chosen.tolist())
    best = int(np.argmax(Y))
    assert chosen[0] == best
    nearer = np.abs(X - X[best]).max(1) < np.abs(X[dropped] - X[best]).max()
    assert nearer.mean() > 0.5
    assert (Y[:, 0] > Y[dropped, 0]).mean() > 0.2


@pytest.mark.parametrize("size", [LIMIT - 1, LIMIT + 1, 2500])
def test_a_long_history_is_searched_as_well_on_both_sides_of_the_limit(build, size: int) -> None:
    rng = np.random.default_rng(1)
    points = [{"x": float(x), "y": float(y)} for x, y in rng.random((size, 2))]
    history = [Observed(a, (_bowl(a),)) for a in points]
    found = suggest(build(budget=10_000), history, []).assignments
    assert _bowl(found) > -1e-5


@pytest.mark.parametrize("algorithm", ["optuna-tpe", "optuna-gp", "ax"])
def test_another_packages_sampler_suggests_within_the_space(build, algorithm: str) -> None:
    package = peers.PACKAGES[algorithm]
    if package == "ax":
        pytest.importorskip("ax", reason="ax-platform is not installed")
    parameters = [
        _double("x", transformation="log") | {"bounds": {"min": 1e-3, "max": 1}},
        {"name": "g", "type": "int", "grid": [1, 10, 100]},
        {"name": "c", "type": "categorical", "categorical_values": ["a", "b"]},
        _double("y", conditions={"kind": ["u"]}),
    ]
    more = {"conditionals": [{"name": "kind", "values": ["u", "v"]}], "constraints": [0.5]}
    experiment = build(parameters, algorithm=algorithm, **more)
    history: list[Observed] = []
    for i in range(11):  # Optuna's samplers draw at random as long as there are 10
        a: Assignments = {
            "kind": "uv"[i % 2],
            "x": (i + 1) / 12,
            "g": 10 ** (i % 3),
            "c": "ab"[i % 2],
        }
        a |= {"y": i / 12} if a["kind"] == "u" else {}
        history.append(Observed(a, None if i == 3 else (float(a["x"]), float(i % 2))))
    for known in ([], history):
        suggestion = suggest(experiment, known, [history[0].assignments])
        chosen = suggestion.assignments
        assert suggestion.source == algorithm
        assert set(chosen) == {"kind", "x", "g", "c"} | ({"y"} if chosen["kind"] == "u" else set())
        assert chosen["g"] in (1, 10, 100)


def test_a_sampler_that_is_not_installed_says_what_to_install(monkeypatch) -> None:
    monkeypatch.setattr(peers.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(MissingDependencyError, match=r"needs optuna.*sigopt-orchestrate\[optuna\]"):
        peers.refuse_missing("optuna-gp")
    peers.refuse_missing("bayesian")
