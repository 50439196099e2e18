"""What is suggested is always valid, whatever the experiment."""

from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sigopt_orchestrate.errors import SuggestionError
from sigopt_orchestrate.optimizer import Suggestion
from sigopt_orchestrate.optimizer.suggest import suggest
from sigopt_orchestrate.server.assignments import checked
from sigopt_orchestrate.server.search.choice import choose, feasible
from sigopt_orchestrate.server.search.question import Question, Trial
from sigopt_orchestrate.server.wire.definition import Definition
from sigopt_orchestrate.server.wire.experiments import build

names = st.sampled_from(["x", "y y", "ü", "1", "c"])
doubles = st.tuples(st.integers(-50, 50), st.integers(1, 50)).map(
    lambda b: {"type": "double", "bounds": {"min": b[0] / 4, "max": b[0] / 4 + b[1]}}
)
parameters = st.one_of(
    doubles,
    doubles.map(lambda p: p | {"prior": {"name": "normal", "mean": 0.0, "scale": 1.0}}),
    doubles.map(lambda p: p | {"prior": {"name": "beta", "shape_a": 2.0, "shape_b": 5.0}}),
    st.just({"type": "double", "bounds": {"min": 1e-6, "max": 1e3}, "transformation": "log"}),
    st.lists(st.integers(-9, 9), min_size=1, max_size=4, unique=True).map(
        lambda grid: {"type": "double", "grid": [g / 3 for g in grid]}
    ),
    st.tuples(st.integers(-9, 9), st.integers(1, 20)).map(
        lambda b: {"type": "int", "bounds": {"min": b[0], "max": b[0] + b[1]}}
    ),
    st.just({"type": "int", "grid": [1, 10, 100]}),
    st.just({"type": "categorical", "categorical_values": ["a", "b", "c"]}),
)


@st.composite
def definitions(draw: st.DrawFn) -> Definition:
    """Experiments with every kind of parameter, conditionals, linear constraints and tasks."""
    chosen = draw(st.lists(names, min_size=1, max_size=4, unique=True))
    listed = [draw(parameters) | {"name": name} for name in chosen]
    body: dict[str, Any] = {"parameters": listed, "metrics": [{"name": "m"}]}
    body["type"] = draw(st.sampled_from(["offline", "random"]))
    if draw(st.booleans()):
        body["conditionals"] = [{"name": "model", "values": ["t", "u"]}]
        for parameter in listed[1:]:
            if draw(st.booleans()):
                parameter["conditions"] = {"model": ["u"]}
    if draw(st.booleans()):
        body |= {
            "tasks": [{"name": "small", "cost": 0.1}, {"name": "full", "cost": 1}],
            "budget": 10,
        }
    free = [
        p
        for p in listed
        if p["type"] != "categorical" and not p.keys() & {"conditions", "grid", "transformation"}
    ]
    kinds = {p["type"] for p in free}
    if len(kinds) == 1:
        body["linear_constraints"] = [
            {
                "type": draw(st.sampled_from(["less_than", "greater_than"])),
                "threshold": draw(st.integers(-40, 40)) / 2,
                "terms": [{"name": p["name"], "weight": draw(st.integers(-3, 3))} for p in free],
            }
            for _ in range(draw(st.integers(0, 2)))
        ]
    return build(body, runs_only=False)


def ask(definition: Definition, history: list[Trial], pending: list[Trial]) -> Question:
    known = len(history) + len(pending)
    return Question(1, definition, history, pending, known, None)


def no_model(*_known: Any) -> Suggestion:
    raise SuggestionError("broken")


@given(definition=definitions(), values=st.lists(st.none() | st.floats(-9, 9), max_size=12))
@settings(max_examples=40, deadline=None)
def test_every_suggestion_is_one_that_the_api_would_take(
    definition: Definition, values: list[float | None]
) -> None:
    assume(feasible(definition))

    history: list[Trial] = []
    for number, value in enumerate(values, 1):
        # The model is asked for the last two: after as many trials as any, for a third of the time.
        by_model = number > len(values) - 2
        choice = choose(ask(definition, history, []), suggest if by_model else no_model)
        assert checked(definition, choice.assignments, within=True) == choice.assignments
        if definition.tasks:
            assert choice.task in {"small", "full"}
        reported = None if value is None else {"m": value}
        history.append(Trial(choice.assignments, choice.task, reported))


def test_a_model_that_fails_keeps_nobody_waiting() -> None:
    body = {"parameters": [{"name": "x", "type": "double", "bounds": {"min": 0, "max": 1}}]}
    definition = build(body, runs_only=False)
    history = [Trial({"x": i / 20}, None, {None: float(i)}) for i in range(20)]  # type: ignore[dict-item]
    choice = choose(ask(definition, history, []), no_model)
    assert choice.source == "quasi-random"
    assert 0 <= choice.assignments["x"] <= 1


def test_pending_suggestions_are_not_suggested_again() -> None:
    body = {
        "type": "grid",
        "parameters": [
            {"name": "n", "type": "int", "bounds": {"min": 1, "max": 3}},
            {"name": "k", "type": "categorical", "categorical_values": ["a", "b"]},
        ],
    }
    definition = build(body, runs_only=False)
    pending: list[Trial] = []
    for _ in range(6):
        choice = choose(ask(definition, [], pending), lambda *_: Suggestion({}, ""))
        pending.append(Trial(choice.assignments, None, None))
    assert len({(t.assignments["n"], t.assignments["k"]) for t in pending}) == 6


@pytest.mark.parametrize("weights", [[3, 5, -7], [1, 1, 1], [100, -1, 1]])
def test_ints_under_a_linear_equation(weights: list[int]) -> None:
    listed = [
        {"name": name, "type": "int", "bounds": {"min": -20, "max": 20}} for name in ("a", "b", "c")
    ]
    terms = [{"name": n, "weight": w} for n, w in zip("abc", weights, strict=True)]
    both = [
        {"type": kind, "threshold": 11, "terms": terms} for kind in ("less_than", "greater_than")
    ]
    body = {"type": "random", "parameters": listed, "linear_constraints": both}
    definition = build(body, runs_only=False)
    seen = []
    for _ in range(5):
        choice = choose(ask(definition, seen, []), lambda *_: Suggestion({}, ""))
        total = sum(w * choice.assignments[n] for n, w in zip("abc", weights, strict=True))
        assert total == 11
        seen.append(Trial(choice.assignments, None, {"m": 1.0}))
