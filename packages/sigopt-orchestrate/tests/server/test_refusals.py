"""What the API documents as invalid is refused with a message that names the field."""

import json
from typing import Any

import pytest

X = {"name": "x", "type": "double", "bounds": {"min": 0, "max": 1}}
N = {"name": "n", "type": "int", "bounds": {"min": 1, "max": 9}}
K = {"name": "k", "type": "categorical", "categorical_values": ["a", "b"]}
GOOD = {"name": "good", "parameters": [X], "metrics": [{"name": "y"}]}
TWO = [{"name": "y"}, {"name": "z"}]
SUM = {"type": "less_than", "threshold": 1, "terms": [{"name": "x", "weight": 1}]}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": None}, "name: must be text"),
        ({"name": "n" * 101}, "name: must be at most 100 characters"),
        ({"parameters": []}, "parameters: must be a list or map of at least 1"),
        ({"parameters": [X, X]}, "parameters: 'x' is given more than once"),
        (
            {
                "type": "grid",
                "parameters": [
                    {"name": f"p{n}", "type": "int", "bounds": {"min": 0, "max": 2**53}}
                    for n in range(20)
                ],
            },
            "parameters: make a grid of more than 1,000,000 points",
        ),
        ({"parameters": [{"name": "x", "type": "float"}]}, "parameters[0].type: must be"),
        ({"parameters": [{"name": "x", "type": "double"}]}, "parameters[0].bounds: a parameter"),
        ({"parameters": [X | {"bounds": {"min": 1, "max": 1}}]}, "parameters[0].bounds.max: must"),
        ({"parameters": [X | {"grid": [1, 2]}]}, "has either bounds or a grid"),
        ({"parameters": [X | {"transformation": "log"}]}, "bounds: must be above 0"),
        ({"parameters": [N | {"transformation": "log"}]}, "transformation: only a double"),
        ({"parameters": [N | {"bounds": {"min": 0.5, "max": 2}}]}, "must be whole numbers"),
        ({"parameters": [K | {"categorical_values": ["a"]}]}, "categorical_values: must be a list"),
        ({"parameters": [K | {"categorical_values": ["a", "a"]}]}, "must be distinct"),
        ({"parameters": [X | {"default_value": 2}]}, "default_value: must lie within"),
        (
            {"parameters": [X | {"prior": {"name": "normal", "mean": 0}}]},
            "prior.scale: is required",
        ),
        ({"parameters": [X | {"prior": {"name": "normal", "mean": 0, "scale": 0}}]}, "above 0"),
        (
            {"parameters": [N | {"prior": {"name": "beta", "shape_a": 1, "shape_b": 1}}]},
            "prior: only doubles",
        ),
        ({"parameters": [X | {"conditions": {"c": ["a"]}}]}, "conditions.c: is not a conditional"),
        ({"conditionals": [{"name": "c", "values": []}]}, "conditionals[0].values"),
        (
            {
                "conditionals": [{"name": "c", "values": ["a", "b"]}],
                "num_solutions": 2,
                "observation_budget": 9,
            },
            "conditionals: cannot be combined",
        ),
        ({"metrics": [*TWO, {"name": "w"}]}, "metrics: 1 or 2 must be optimized, not 3"),
        ({"metrics": TWO}, "observation_budget: is required with two optimized metrics"),
        (
            {"metrics": [{"name": "y"}, {"name": "c", "strategy": "constraint"}]},
            "metrics[1].threshold: a constraint needs one",
        ),
        ({"metrics": [{"name": "y", "threshold": 1}]}, "only beside a second optimized metric"),
        ({"metrics": [{"name": "y", "objective": "up"}]}, "metrics[0].objective: must be"),
        ({"num_solutions": 2}, "observation_budget: is required with num_solutions"),
        (
            {"tasks": [{"name": "a", "cost": 1}], "observation_budget": 9},
            "tasks: must be at least 2",
        ),
        (
            {
                "tasks": [{"name": "a", "cost": 0.1}, {"name": "b", "cost": 0.5}],
                "observation_budget": 9,
            },
            "tasks: exactly one must have cost 1",
        ),
        (
            {
                "tasks": [{"name": "a", "cost": 0.1}, {"name": "b", "cost": 1}],
                "observation_budget": 9,
                "metrics": TWO,
            },
            "tasks: cannot be combined",
        ),
        ({"parallel_bandwidth": 0}, "parallel_bandwidth: must be at least 1"),
        ({"observation_budget": -1}, "observation_budget: must be at least 0"),
        (
            {"linear_constraints": [SUM | {"terms": [{"name": "q", "weight": 1}]}]},
            "linear_constraints[0].terms[0].name: 'q' is not a parameter",
        ),
        (
            {"linear_constraints": [SUM | {"threshold": -1}]},
            "linear_constraints: no point within the bounds",
        ),
        (
            {
                "parameters": [X, K],
                "linear_constraints": [SUM | {"terms": [{"name": "k", "weight": 1}]}],
            },
            "'k' must be a double or an int",
        ),
        ({"type": "grid"}, "parameters[0].grid: is required where type is grid"),
        ({"metadata": {"k": "v" * 501}}, "metadata.k: must be at most 500 characters"),
        ({"metadata": {str(i): 1 for i in range(101)}}, "metadata: must have at most 100 keys"),
        ({"metadata": {"k": [1]}}, "metadata.k: must be a string or a number"),
        ({"project": "nowhere"}, "project: there is no project 'nowhere'"),
    ],
)
def test_an_experiment_that_breaks_a_rule(caller: Any, change: dict[str, Any], said: str) -> None:
    assert said in caller.refused(400, "POST", "/experiments", GOOD | change)


@pytest.fixture
def experiment(caller: Any) -> str:
    created = caller.ok("POST", "/experiments", GOOD | {"parameters": [X, N], "type": "random"})
    path: str = f"/experiments/{created['id']}"
    return path


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"colour": "red"}, "colour: unknown key"),
        ({"assignments": None}, "exactly one of suggestion and assignments"),
        ({"suggestion": "1"}, "exactly one of suggestion and assignments"),
        ({"assignments": None, "suggestion": "999999"}, "suggestion: there is none with id 999999"),
        ({"assignments": None, "suggestion": "x"}, "suggestion: must be an id"),
        ({"assignments": {"x": 0.5}}, "assignments.n: is required"),
        ({"assignments": {"x": 0.5, "n": 1.5}}, "assignments.n: must be a whole number"),
        ({"assignments": {"x": "0.5", "n": 1}}, "assignments.x: must be a number"),
        ({"assignments": {"x": 0.5, "n": 1, "q": 1}}, "assignments.q: is not a parameter"),
        ({"values": None}, "values: are required unless failed"),
        ({"values": [{"name": "z", "value": 1}]}, "values: 'z' is not a metric"),
        ({"values": []}, "values: the metric 'y' is missing"),
        ({"values": [{"name": "y", "value": "1"}]}, "values[0].value: must be a number"),
        ({"values": [{"name": "y", "value": True}]}, "values[0].value: must be a number"),
        ({"values": [{"name": "y", "value": 1, "value_stddev": -1}]}, "value_stddev: must be at"),
        ({"value": 1}, "values: cannot be given beside value"),
        ({"failed": True}, "failed: excludes value and values"),
        ({"task": "t"}, "task: must be one of []"),
    ],
)
def test_an_observation_that_breaks_a_rule(
    caller: Any, experiment: str, change: dict[str, Any], said: str
) -> None:
    good = {"assignments": {"x": 0.5, "n": 1}, "values": [{"name": "y", "value": 1}]}
    assert said in caller.refused(400, "POST", f"{experiment}/observations", good | change)
    assert caller.ok("GET", f"{experiment}/observations")["count"] == 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"parameters": [X, N, K]}, "parameters[2].default_value: is required"),
        ({"parameters": [X, X | {"name": "n"}]}, "parameters[1].type: cannot be changed"),
        ({"metrics": [{"name": "q"}]}, "metrics[0].name: 'q' is not a metric"),
        ({"metrics": TWO}, "observation_budget: is required with two"),
        ({"metrics": [{"name": "y", "objective": "minimize"}]}, "metrics[0].objective: cannot"),
        ({"linear_constraints": [SUM]}, "linear_constraints: cannot be changed"),
        ({"state": "gone"}, "state: must be"),
    ],
)
def test_an_update_that_touches_what_is_fixed(
    caller: Any, experiment: str, change: dict[str, Any], said: str
) -> None:
    assert said in caller.refused(400, "PUT", experiment, change)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"[1]", "must be a JSON object"),
        (b"{", "is not valid JSON"),
        (b'{"name": NaN}', "NaN is not allowed"),
        (b'{"name": 1e999}', "beyond what a number can be"),
        (b'{"name": "a", "name": "b"}', "name: the key is given twice"),
        (b'{"name": "\\u0000"}', "must not hold NUL"),
        (b'{"name": "\\ud800"}', "must be valid UTF-8"),
        (b"\xff", "must be valid UTF-8"),
        (b"[" * 100_000, "nested too deeply"),
    ],
)
def test_a_body_that_is_no_clean_json_object(caller: Any, body: bytes, said: str) -> None:
    import httpx  # noqa: PLC0415

    response = httpx.post(f"{caller.address}/v1/experiments", content=body, auth=(caller.token, ""))
    assert response.status_code == 400
    assert said in response.json()["message"]


@pytest.fixture
def run(caller: Any) -> str:
    projects = f"/clients/{caller.client_id}/projects"
    caller.ok("POST", projects, {"id": "p", "name": "P"})
    created = caller.ok("POST", f"{projects}/p/training_runs", {"name": "run"})
    path: str = f"/training_runs/{created['id']}"
    return path


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"colour": 1}, "colour: unknown key"),
        ({"state": None}, "state: cannot be null"),
        ({"name": None}, "name: cannot be null"),
        ({"project": None}, "project: cannot be null"),
        ({"state": "paused"}, "state: must be"),
        ({"values": {"y": {}}}, "values.y.value: is required"),
        ({"logs": {"stdout": {}}}, "logs.stdout.content: is required"),
        ({"assignments_meta": {"x": {"source": "s"}}}, "assignments_meta.x: has no assignment"),
        ({"assignments_sources": {"s" * 31: {"sort": 1, "default_show": True}}}, "30 characters"),
        (
            {"assignments_sources": {"SigOpt": {"sort": 1, "default_show": True}}},
            "assignments_sources.SigOpt: the name is the optimizer's own",
        ),
        (
            {"sys_metadata": {"feature_importances": {"type": "t", "scores": {"f": "x"}}}},
            "sys_metadata.feature_importances.scores.f: must be a number",
        ),
        ({"metadata": {"k": "v" * 501}}, "metadata.k: must be at most 500"),
    ],
)
@pytest.mark.parametrize("verb", ["MERGE", "PUT"])
def test_a_run_update_that_breaks_a_rule(
    caller: Any, run: str, verb: str, change: dict[str, Any], said: str
) -> None:
    assert said in caller.refused(400, verb, run, change)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"field": "colour", "operator": "==", "value": 1}, "is no field"),
        ({"field": "name", "operator": "~", "value": "x"}, "operator: must be one of"),
        ({"field": "state", "operator": "!=", "value": "active"}, "compared by == only"),
        ({"field": "created", "operator": ">", "value": None}, "needs a number or text"),
        ({"field": "favorite", "operator": ">", "value": True}, "needs a number or text"),
        ({"field": "favorite", "operator": "==", "value": 1}, "must be true or false"),
        ({"field": "values.y.value", "operator": "==", "value": {}}, "value: must be"),
    ],
)
def test_a_filter_that_means_nothing(caller: Any, entry: dict[str, Any], said: str) -> None:
    response = caller("GET", "/training_runs", params={"filters": json.dumps([entry])})
    assert response.status_code == 400
    assert said in response.json()["message"]
    assert response.json()["message"].startswith("filters[0].")


@pytest.mark.parametrize(
    "query",
    [{"limit": "1001"}, {"limit": "-1"}, {"before": "zzz"}, {"ascending": "up"}, {"state": "x"}],
)
def test_a_page_that_cannot_be(caller: Any, query: dict[str, str]) -> None:
    response = caller("GET", "/experiments", params=query)
    assert response.status_code == 400
    assert next(iter(query)) in response.json()["message"]
