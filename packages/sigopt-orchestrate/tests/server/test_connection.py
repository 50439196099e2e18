"""The orphaned client's Python API, unmodified, against our server."""

import json
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import requests
import sigopt
from sigopt.factory import SigOptFactory

X = {"name": "x", "type": "double", "bounds": {"min": 0, "max": 1}}
N = {"name": "n", "type": "int", "bounds": {"min": 1, "max": 9}}
K = {"name": "k", "type": "categorical", "categorical_values": ["a", "b"]}


@pytest.fixture(autouse=True)
def _quiet() -> Any:
    """The client warns of its own fields; pytest would make errors of that."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.fixture
def connection(caller: Any) -> sigopt.Connection:
    return caller.connection()


def loop(
    connection: sigopt.Connection, observe: Callable[[Any], dict[str, Any]], **body: Any
) -> tuple[Any, list[Any]]:
    """Creates an experiment, runs it to its budget, and returns it with its suggestions."""
    experiment = connection.experiments().create(name="loop", **body)
    seen = []
    while experiment.progress.observation_budget_consumed < experiment.observation_budget:
        suggestion = connection.experiments(experiment.id).suggestions().create()
        seen.append(suggestion)
        connection.experiments(experiment.id).observations().create(
            suggestion=suggestion.id, **observe(suggestion)
        )
        experiment = connection.experiments(experiment.id).fetch()
    return experiment, seen


def test_one_unnamed_metric_as_the_oldest_scripts_have_it(connection: Any) -> None:
    experiment, seen = loop(
        connection,
        lambda s: {"value": s.assignments["x"] + s.assignments["n"], "value_stddev": 0.5},
        parameters=[X, N, K],
        observation_budget=4,
        type="random",
    )
    for suggestion in seen:
        assert 0 <= suggestion.assignments["x"] <= 1
        assert suggestion.assignments["n"] in range(1, 10)
        assert suggestion.assignments["k"] in ("a", "b")
    best = experiment.progress.best_observation
    assert best.value == max(s.assignments["x"] + s.assignments["n"] for s in seen)
    assert (best.value_stddev, best.metadata, best.failed) == (0.5, None, False)
    (assigned,) = connection.experiments(experiment.id).best_assignments().fetch().data
    assert (assigned.assignments, assigned.value) == (best.assignments, best.value)


def test_two_metrics_and_a_constraint_give_a_front_within_the_threshold(connection: Any) -> None:
    experiment, seen = loop(
        connection,
        lambda s: {
            "values": [
                {"name": "up", "value": s.assignments["x"]},
                {"name": "down", "value": s.assignments["x"] ** 2},
                {"name": "size", "value": s.assignments["n"]},
            ]
        },
        parameters=[X, N],
        metrics=[
            {"name": "up", "objective": "maximize"},
            {"name": "down", "objective": "minimize"},
            {"name": "size", "objective": "minimize", "strategy": "constraint", "threshold": 6},
        ],
        observation_budget=6,
        type="random",
    )
    best = connection.experiments(experiment.id).best_assignments().fetch().data
    allowed = [s.assignments for s in seen if s.assignments["n"] <= 6]
    assert sorted(b.assignments["x"] for b in best) == sorted(a["x"] for a in allowed)
    assert experiment.progress.best_observation is None


def test_conditionals_leave_inactive_parameters_out(connection: Any) -> None:
    _, seen = loop(
        connection,
        lambda _: {"values": [{"name": "y", "value": 1.0}]},
        parameters=[X, N | {"conditions": {"model": ["tree"]}}],
        conditionals=[{"name": "model", "values": ["tree", "line"]}],
        metrics=[{"name": "y"}],
        observation_budget=8,
        type="random",
    )
    for suggestion in seen:
        expected = {"x", "model"} | ({"n"} if suggestion.assignments["model"] == "tree" else set())
        assert set(suggestion.assignments) == expected
    assert {s.assignments["model"] for s in seen} == {"tree", "line"}


def test_tasks_use_the_budget_by_their_cost(connection: Any) -> None:
    tasks = [{"name": "cheap", "cost": 0.25}, {"name": "full", "cost": 1}]
    experiment, seen = loop(
        connection,
        lambda s: {"value": s.assignments["x"]},
        parameters=[X],
        tasks=tasks,
        observation_budget=3,
        type="random",
    )
    assert {s.task.name for s in seen} == {"cheap", "full"}
    assert sum(s.task.cost for s in seen) == experiment.progress.observation_budget_consumed
    best = experiment.progress.best_observation
    assert best.task.name == "full"


def test_linear_constraints_hold_for_every_suggestion(connection: Any) -> None:
    sides = [dict(X, name=name, bounds={"min": 0, "max": 10}) for name in "abc"]
    _, seen = loop(
        connection,
        lambda s: {"value": s.assignments["a"]},
        parameters=sides,
        linear_constraints=[
            {
                "type": "less_than",
                "threshold": 1,
                "terms": [{"name": name, "weight": 1} for name in "abc"],
            },
            {
                "type": "greater_than",
                "threshold": 0.5,
                "terms": [{"name": "a", "weight": 1}, {"name": "b", "weight": -1}],
            },
        ],
        observation_budget=8,  # the last ones are the model's
    )
    for s in seen:
        assert sum(s.assignments[name] for name in "abc") <= 1
        assert s.assignments["a"] - s.assignments["b"] >= 0.5


def test_a_grid_is_walked_through_whole(connection: Any) -> None:
    experiment, seen = loop(
        connection,
        lambda _: {"failed": True},
        parameters=[{"name": "g", "type": "double", "grid": [0.1, 1, 10]}, K],
        type="grid",
    )
    assert experiment.observation_budget == 6
    assert len({(s.assignments["g"], s.assignments["k"]) for s in seen}) == 6


def test_queued_suggestions_come_first_and_once(connection: Any) -> None:
    experiment = connection.experiments().create(name="queue", parameters=[X], type="random")
    of_it = connection.experiments(experiment.id)
    for x in (0.25, 0.75):
        of_it.queued_suggestions().create(assignments={"x": x})
    assert of_it.queued_suggestions().fetch().count == 2
    got = [of_it.suggestions().create().assignments["x"] for _ in range(3)]
    assert got[:2] == [0.25, 0.75]
    assert got[2] not in got[:2]
    assert of_it.queued_suggestions().fetch().count == 0


def test_suggestions_and_observations_can_be_changed_and_deleted(connection: Any) -> None:
    experiment = connection.experiments().create(name="x", parameters=[X], type="random")
    of_it = connection.experiments(experiment.id)
    suggestion = of_it.suggestions().create(metadata={"host": "a"})
    changed = of_it.suggestions(suggestion.id).update(metadata={"host": "b"})
    assert (dict(changed.metadata), changed.state) == ({"host": "b"}, "open")
    observation = of_it.observations().create(suggestion=suggestion.id, value=1)
    assert of_it.suggestions(suggestion.id).fetch().state == "closed"
    assert of_it.suggestions().fetch(state="open").count == 0
    changed = of_it.observations(observation.id).update(value=2, metadata={"again": 1})
    assert (changed.value, changed.suggestion) == (2, suggestion.id)
    assert dict(changed.metadata) == {"again": 1}
    failed = of_it.observations(observation.id).update(failed=True)
    assert (failed.failed, failed.value) == (True, None)
    of_it.observations(observation.id).delete()
    assert of_it.suggestions(suggestion.id).fetch().state == "open"
    of_it.suggestions().delete(state="open")
    assert of_it.suggestions().fetch().count == 0
    assert of_it.suggestions().fetch(deleted="true").count == 1


def test_a_batch_of_observations_is_stored_whole_or_not_at_all(connection: Any) -> None:
    experiment = connection.experiments().create(name="x", parameters=[X], type="random")
    of_it = connection.experiments(experiment.id)
    good = [{"assignments": {"x": i / 10}, "value": i} for i in range(10)]
    assert of_it.observations().create_batch(observations=good, dry_run=True).data == []
    with pytest.raises(sigopt.exception.ApiException, match=r"number 11 of 11.*assignments\.y"):
        of_it.observations().create_batch(
            observations=[*good, {"assignments": {"y": 1}, "value": 1}]
        )
    assert of_it.observations().fetch().count == 0
    assert len(of_it.observations().create_batch(observations=good).data) == 10
    pages = of_it.observations().fetch(limit=3).iterate_pages()
    assert [o.value for o in pages] == list(range(9, -1, -1))


def test_runs_log_everything_and_images(caller: Any, connection: Any) -> None:
    factory = SigOptFactory("demo", connection)
    factory.create_project()
    with factory.create_run(name="first", metadata={"a": 1}) as run:
        run.params.rate = 0.1
        run.log_metrics(loss=1.5)
        run.log_metric("loss", 0.5, stddev=0.01)
        run.log_metadata("b", "two")
        run.log_metadata("a", None)
        run.log_sys_metadata("feature_importances", {"type": "gain", "scores": {"f0": 3}})
        run.log_dev_metadata("_IS_XGB_RUN", True)
        run.set_logs({"stdout": "x" * 5000})
        run.log_checkpoint({"loss": 1.0})
        run.log_image(np.arange(12, dtype=np.uint8).reshape(3, 4), name="picture")
        run.set_parameters_sources_meta("User Specified", sort=2, default_show=True)
        run.set_parameter_source("rate", "User Specified")
    got = connection.training_runs(run.id).fetch()
    assert (got.state, dict(got.assignments)) == ("completed", {"rate": 0.1})
    assert dict(got.metadata) == {"b": "two"}
    assert (got.values["loss"].value, got.values["loss"].value_stddev) == (0.5, 0.01)
    assert got.sys_metadata["feature_importances"]["scores"] == {"f0": 3}
    assert len(got.logs["stdout"]) <= 1124
    assert (got.checkpoint_count, len(got.files)) == (1, 1)
    file = caller.ok("GET", f"/files/{got.files[0]}")
    image = requests.get(file["download"]["url"], timeout=60)
    assert image.content.startswith(b"\x89PNG")
    assert image.headers["content-type"] == "image/png"


def test_a_run_that_raises_has_failed(connection: Any) -> None:
    factory = SigOptFactory("demo", connection)
    factory.create_project()
    with pytest.raises(ZeroDivisionError), factory.create_run() as run:
        _ = 1 / 0
    assert connection.training_runs(run.id).fetch().state == "failed"


def test_an_experiment_loops_to_its_budget_and_names_its_best_runs(connection: Any) -> None:
    factory = SigOptFactory("demo", connection)
    factory.create_project()
    experiment = factory.create_experiment(
        name="tune",
        type="random",
        parameters=[X, N],
        metrics=[{"name": "y", "objective": "minimize"}],
        budget=4,
    )
    for run in experiment.loop():
        with run:
            if run.params.n > 7:
                run.log_failure()
            run.log_metric("y", run.params.x)
    runs = list(experiment.get_runs())
    assert len(runs) == 4
    fine = [run for run in runs if run.state == "completed"]
    (best,) = experiment.get_best_runs()
    assert best.values["y"].value == min(run.values["y"].value for run in fine)
    updated = [*experiment.parameters, dict(K, default_value="a")]
    experiment.update(name="tuned", parameters=updated, budget=5)
    experiment.refresh()
    assert (experiment.name, experiment.progress.remaining_budget) == ("tuned", 1)
    with experiment.create_run() as run:
        assert set(run.params) == {"x", "n", "k"}
    experiment.archive()
    assert experiment.state == "deleted"


def test_upload_runs_takes_many_at_once(connection: Any) -> None:
    factory = SigOptFactory("demo", connection)
    factory.create_project()
    runs = [{"name": f"run {i}", "values": {"y": {"value": i}}} for i in range(50)]
    assert len({run.id for run in factory.upload_runs(runs, max_batch_size=20)}) == 50
    filters = json.dumps([{"field": "values.y.value", "operator": ">=", "value": 40}])
    client = connection.tokens("self").fetch().client
    found = connection.clients(client).projects("demo").training_runs()
    page = found.fetch(filters=filters, sort="values.y.value", ascending="true", limit=4)
    assert [run.name for run in page.iterate_pages()] == [f"run {i}" for i in range(40, 50)]
