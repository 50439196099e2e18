"""What an experiment has come to: the best, whether to go on, what mattered."""

import json
from typing import Any

from sqlalchemy import select

from sigopt_orchestrate.server.access import Experiment, run_query, the_experiment
from sigopt_orchestrate.server.best import best_observations
from sigopt_orchestrate.server.calls import Call
from sigopt_orchestrate.server.endpoints import Endpoints
from sigopt_orchestrate.server.importances import importances
from sigopt_orchestrate.server.json_bodies import Json
from sigopt_orchestrate.server.objects.experiments import budget_consumed
from sigopt_orchestrate.server.objects.runs import run_objects
from sigopt_orchestrate.server.objects.trials import evaluation_objects, single_value
from sigopt_orchestrate.server.pagination import listed
from sigopt_orchestrate.server.stopping import stagnates
from sigopt_orchestrate.store.resources import observations, training_runs

endpoints = Endpoints()
_OF = "/experiments/{experiment}"


@endpoints.add("GET", f"{_OF}/best_assignments", "best_assignments", many=True)
def best_assignments(call: Call[None]) -> Json:
    """Lists the best assignments: one, several solutions, or the Pareto front of two metrics."""
    experiment = the_experiment(call)
    best = []
    for row in best_observations(call.tx, experiment):
        values = evaluation_objects(row.values)
        task = {"task": row.task} if experiment.definition.tasks else {}
        best.append(
            {
                "object": "best_assignments",
                "id": str(row.id),
                "assignments": json.loads(row.assignments),
                "values": values,
                **single_value(experiment.definition, values),
                "metadata": json.loads(row.metadata) if row.metadata else None,
                **task,
            }
        )
    return listed(best)


@endpoints.add("GET", f"{_OF}/best_training_runs", "training_run", many=True)
@endpoints.add("GET", "/aiexperiments/{experiment}/best_training_runs", "training_run", many=True)
def best_training_runs(call: Call[None]) -> Json:
    """Lists the best training runs: one, several solutions, or the Pareto front of two metrics."""
    experiment = the_experiment(call, runs_only=True)
    ids = [row.training_run_id for row in best_observations(call.tx, experiment)]
    rows = call.tx.execute(run_query().where(training_runs.c.id.in_(ids))).all()
    order = {run_id: place for place, run_id in enumerate(ids)}
    return listed(run_objects(call.tx, sorted(rows, key=lambda row: order[row.id])))


@endpoints.add("GET", f"{_OF}/stopping_criteria", "stopping_criteria")
def stopping_criteria(call: Call[None]) -> Json:
    """Says whether the experiment's budget is used up, or its results no longer get better."""
    experiment = the_experiment(call)
    budget, reasons = experiment.definition.budget, []
    used = budget is not None and budget_consumed(call.tx, experiment) > budget
    if used:
        reasons.append("observation_budget_reached")
    single = len(experiment.definition.optimized) == 1 and experiment.definition.solutions == 1
    merits = _merits(call, experiment)
    if single and stagnates(merits, len(experiment.definition.parameters)):
        reasons.append("possible_stagnation")
    if not single and used and _front_is_old(call, experiment):
        reasons.append("possible_stagnation")
    return {"object": "stopping_criteria", "should_stop": bool(reasons), "reasons": reasons}


@endpoints.add("GET", f"{_OF}/metric_importances", "metric_importances", many=True)
@endpoints.add("PUT", f"{_OF}/metric_importances", "metric_importances", many=True)
def metric_importances(call: Call[None]) -> Json:
    """Lists how much of each metric's spread each parameter explains; always up to date."""
    experiment = the_experiment(call)
    return listed(
        [
            {"object": "metric_importances", "metric": name, "importances": shares}
            for name, shares in importances(call.tx, experiment).items()
        ]
    )


@endpoints.add("GET", f"{_OF}/importances", "importances")
def first_importances(call: Call[None]) -> Json:
    """Says how much of the first optimised metric's spread each parameter explains."""
    experiment = the_experiment(call)
    name = experiment.definition.optimized[0].name
    return {"object": "importances", "importances": importances(call.tx, experiment)[name]}


@endpoints.add("GET", f"{_OF}/best_practices", "best_practices")
def best_practices(call: Call[None]) -> Json:
    """Says what about the experiment's setup makes good results unlikely."""
    definition = the_experiment(call).definition
    found = []
    if definition.budget is not None and definition.budget < 5 * len(definition.parameters):
        found.append("the budget is below 5 observations for each parameter")
    if definition.parallel_bandwidth and definition.parallel_bandwidth > 10:
        found.append("with more than 10 at a time, the search learns late from each")
    return {"object": "best_practices", "violations": found}


@endpoints.add("DELETE", f"{_OF}/hyperparameters", "empty")
def delete_hyperparameters(call: Call[None]) -> Json:
    """Forgets the model's hyperparameters; ours are fitted anew for each suggestion."""
    the_experiment(call)
    return {}


def _merits(call: Call[Any], experiment: Experiment) -> list[float | None]:
    mine = (observations.c.experiment_id == experiment.id) & observations.c.deleted.is_(False)
    rows = call.tx.execute(select(observations.c.merit).where(mine).order_by(observations.c.id))
    return list(rows.scalars())


def _front_is_old(call: Call[Any], experiment: Experiment) -> bool:
    """Whether no observation beyond the budget is among the best."""
    mine = (observations.c.experiment_id == experiment.id) & observations.c.deleted.is_(False)
    ids = list(
        call.tx.execute(select(observations.c.id).where(mine).order_by(observations.c.id)).scalars()
    )
    late = set(ids[int(experiment.definition.budget or 0) :])
    return not late & {row.id for row in best_observations(call.tx, experiment)}
