"""What the end of a training run means to its AI experiment: exactly one observation."""

import json
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from sigopt_orchestrate.server.access import Experiment, find_experiment, now
from sigopt_orchestrate.server.json_bodies import write
from sigopt_orchestrate.server.merit import merit, stored_values
from sigopt_orchestrate.server.wire.observations import Evaluation
from sigopt_orchestrate.store.resources import observations, suggestions, training_runs


def settle(tx: Connection, run: Row[Any]) -> None:
    """Makes the observation say what the run says now: there is one while the run has ended.

    A run that is deleted or active again has none that counts; its suggestion is open only while
    the run is active. However often it is called, a run has one row.
    """
    if run.experiment_id is None or run.suggestion_id is None:
        return
    ended = run.state != "active" and not run.deleted
    if ended:
        _observe(tx, run, find_experiment(tx, run.experiment_id))
    elif run.observation_id is not None:
        gone = update(observations).where(observations.c.id == run.observation_id)
        tx.execute(gone.values(deleted=True))
    is_open = run.state == "active" and not run.deleted
    mine = suggestions.c.id == run.suggestion_id
    tx.execute(update(suggestions).where(mine).values(open=is_open, deleted=run.deleted))


def _observe(tx: Connection, run: Row[Any], experiment: Experiment) -> None:
    definition = experiment.definition
    suggestion = tx.execute(
        select(suggestions.c.assignments, suggestions.c.task).where(
            suggestions.c.id == run.suggestion_id
        )
    ).one()
    reported = json.loads(run.document).get("values", {})
    names = {metric.name for metric in definition.metrics}
    failed = run.state == "failed" or not names <= reported.keys()
    evaluations = [
        Evaluation(name=name, value=value["value"], value_stddev=value.get("value_stddev"))
        for name, value in reported.items()
        if name in names
    ]
    values = stored_values(definition, None if failed else evaluations)
    stored = {
        "values": write(values),
        "failed": failed,
        "merit": None if failed else merit(definition, values, suggestion.task),
        "deleted": False,
    }
    if run.observation_id is not None:
        changed = update(observations).where(observations.c.id == run.observation_id)
        tx.execute(changed.values(**stored))
        return
    made = insert(observations).values(
        experiment_id=experiment.id,
        suggestion_id=run.suggestion_id,
        training_run_id=run.id,
        assignments=suggestion.assignments,
        task=suggestion.task,
        created=now(),
        **stored,
    )
    observation_id = tx.execute(made.returning(observations.c.id)).scalar_one()
    named = update(training_runs).where(training_runs.c.id == run.id)
    tx.execute(named.values(observation_id=observation_id))
