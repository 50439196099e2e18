from typing import Any

import pytest
from pydantic import ValidationError

from sigopt_orchestrate.spec import Experiment, argv

X = {"name": "x", "type": "double", "bounds": {"min": 0, "max": 1}}
N = {"name": "n", "type": "int", "bounds": {"min": 1, "max": 9}}
KIND = {"name": "kind", "values": ["a", "b"]}
NORMAL = {"name": "normal", "mean": 0, "scale": 1}
TASKS = [{"name": "full", "cost": 1}, {"name": "small", "cost": 0.1}]


def _experiment(**keys: Any) -> Experiment:
    given = {"name": "e", "command": "true", "parameters": [X, N], "metrics": [{"name": "f"}]}
    return Experiment.model_validate({**given, "budget": 9, **keys})


def _sum_of(*names: str, kind: str = "less_than") -> list[dict[str, Any]]:
    return [{"type": kind, "threshold": 1, "terms": [{"name": n, "weight": 1} for n in names]}]


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"parameters": [{**X, "conditions": {"kind": ["a"]}}]}, "not one of the conditionals"),
        (
            {"parameters": [{**X, "conditions": {"kind": ["z"]}}], "conditionals": [KIND]},
            "must be values of kind: a, b",
        ),
        ({"conditionals": [{"name": "x", "values": ["a"]}]}, "is a conditional, too"),
        ({"linear_constraints": _sum_of("x", "z")}, "'z' is not a parameter"),
        ({"linear_constraints": _sum_of("x", "n")}, "all doubles or all ints"),
        ({"linear_constraints": _sum_of("x", "x")}, "each parameter has one term"),
        (
            {"parameters": [{**X, "bounds": {"min": 1, "max": 2}, "transformation": "log"}],
             "linear_constraints": _sum_of("x")},
            "without transformation",
        ),
        ({"metrics": [{"name": "f"}, {"name": "c", "strategy": "constraint"}]}, "needs one"),
        ({"metrics": [{"name": "f", "threshold": 1}]}, "beside a second objective"),
        ({"metrics": [{"name": "c", "strategy": "constraint", "threshold": 1}]}, "one or two must"),
        ({"tasks": TASKS[1:]}, "exactly one of cost 1"),
        ({"tasks": TASKS, "num_solutions": 2}, "one solution"),
        ({"tasks": TASKS, "parameters": [{**X, "name": "task"}]}, "the name of the trial's task"),
        ({"num_solutions": 2, "metrics": [{"name": "f"}, {"name": "g"}]}, "must be 1 with two"),
        ({"optimizer": {"algorithm": "grid"}}, "a grid is required"),
        ({"early_stopping": {"type": "asha", "metric": "g"}}, "must be one of the metrics: f"),
        ({"parameters": [{**X, "grid": [0, 0.5, 2]}]}, "whose ends are its bounds"),
        ({"parameters": [{"name": "x", "type": "double", "grid": [2, 1]}]}, "must ascend"),
        (
            {"parameters": [{"name": "x", "type": "double", "grid": [1, 2], "prior": NORMAL}]},
            "neither grid nor transformation",
        ),
    ],
)  # fmt: skip
def test_search_keys_that_do_not_fit_together_are_refused(keys: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        _experiment(**keys)
    assert said in str(caught.value)


def test_search_keys_survive_the_way_to_the_store_and_back() -> None:
    experiment = _experiment(
        parameters=[
            {**X, "prior": NORMAL},
            {"name": "g", "type": "double", "grid": [1, 2.5], "conditions": {"kind": ["a"]}},
        ],
        conditionals=[KIND],
        linear_constraints=_sum_of("x"),
        metrics=[{"name": "f"}, {"name": "c", "strategy": "constraint", "threshold": 0}],
        early_stopping={"type": "median", "metric": "f"},
        num_solutions=1,
    )
    assert Experiment.model_validate_json(experiment.model_dump_json(by_alias=True)) == experiment
    assert [m.name for m in experiment.steering] == ["f", "c"]


def test_defaults_are_those_of_the_parameters_that_count_then() -> None:
    parameters = [
        {**X, "default": 0.5},
        {**N, "conditions": {"kind": ["b"]}},
    ]
    experiment = _experiment(parameters=parameters, conditionals=[KIND])
    assert experiment.defaults == {"kind": "a", "x": 0.5}


def test_a_parameter_that_does_not_count_is_empty_in_the_command() -> None:
    assert argv(("run", "--n={n}"), {"x": 0.5}) == ["run", "--n="]
    assert argv("run --n {n}", {"x": 0.5}) == ["/bin/sh", "-c", "run --n ''"]
