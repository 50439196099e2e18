"""Experiments and trials as plain mappings: what `--json` prints."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import click

from sigopt_orchestrate.artifacts.keys import output_uri
from sigopt_orchestrate.cli.places import read_place
from sigopt_orchestrate.dashboard import best_trials
from sigopt_orchestrate.dashboard.repeats import (
    Estimate,
    Gain,
    confirmed,
    confirmed_gain,
    estimate,
)
from sigopt_orchestrate.executors import experiment_spending, trial_usd
from sigopt_orchestrate.lifecycle import ExperimentState, TrialState
from sigopt_orchestrate.store import (
    ExperimentFolder,
    ExperimentRecord,
    Store,
    TrialRecord,
    has_leader,
)

View = Mapping[str, Any]


def print_json(view: View | Sequence[View]) -> None:
    """Prints one JSON document on one line."""
    click.echo(json.dumps(view))


def trial_view(experiment: ExperimentRecord, trial: TrialRecord, folder: ExperimentFolder) -> View:
    """Returns a trial as plain values; times in Unix seconds.

    Args:
        experiment: Whose trial it is.
        trial: The trial.
        folder: Where the files of its experiment lie.
    """
    files = folder.attempt(trial.number, trial.attempt)
    kept = output_uri(experiment, trial.number, trial.attempt)
    place = read_place(files) if trial.state.in_flight else None
    return {
        "number": trial.number,
        "state": str(trial.state),
        "source": trial.source,
        "attempt": trial.attempt,
        "assignments": trial.assignments,
        "values": trial.values,
        "reason": trial.reason,
        "created_at": trial.created_at,
        "started_at": trial.started_at,
        "ended_at": trial.ended_at,
        "cost_usd": trial_usd(folder, trial.number, trial.attempt),
        "output": str(files.output),
        **({} if kept is None else {"artifacts": kept}),
        **({} if place is None else {"place": asdict(place)}),
    }


def summary_view(store: Store, experiment: ExperimentRecord, trials: Sequence[TrialRecord]) -> View:
    """Returns an experiment without its trials one by one."""
    folder = store.home.experiment(experiment.id)
    spent = experiment_spending(folder)
    return {
        "id": experiment.id,
        "name": experiment.spec.name,
        "state": _state_name(store, experiment),
        "reason": experiment.reason,
        "objectives": {metric.name: metric.objective for metric in experiment.spec.objectives},
        "budget": experiment.spec.budget,
        "observed": sum(trial.state.observed for trial in trials),
        "trials": {str(s): n for s in TrialState if (n := sum(t.state is s for t in trials))},
        "best": [trial_view(experiment, t, folder) for t in best_trials(experiment.spec, trials)],
        "cost_usd": None if spent is None else spent.usd,
        "created_at": experiment.created_at,
        "ended_at": experiment.ended_at,
    }


def confirmation_view(experiment: ExperimentRecord, trials: Sequence[TrialRecord]) -> View:
    """Returns what was repeated, the defaults first, and the gains over them by repeats alone."""
    metrics = experiment.spec.objectives
    return {
        "id": experiment.id,
        "confirmed": [
            {
                "trial": trial.number,
                "source": trial.source,
                "assignments": trial.assignments,
                "metrics": {m.name: _plain(estimate(m, trials, trial)) for m in metrics},
                "gain": {m.name: _plain(confirmed_gain(m, trials, trial)) for m in metrics},
            }
            for trial in confirmed(trials)
        ],
    }


def _plain(value: Estimate | Gain | None) -> View | None:
    return None if value is None else asdict(value)


def _state_name(store: Store, experiment: ExperimentRecord) -> str:
    """The experiment's state; one that should run but that nobody leads is interrupted."""
    if experiment.state is ExperimentState.RUNNING and not has_leader(store, experiment.id):
        return "interrupted"
    if experiment.state is ExperimentState.RUNNING and experiment.paused:
        return "paused"
    return str(experiment.state)
