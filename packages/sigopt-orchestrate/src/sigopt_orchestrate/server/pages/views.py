"""What the pages draw: one function for each, from a transaction to JSON."""

import time
from typing import Any

from sqlalchemy import Connection, func, select

from sigopt_orchestrate.dashboard import figures
from sigopt_orchestrate.dashboard.analysis import (
    best_trials,
    comparable,
    default_trial,
    gain,
    objective_value,
)
from sigopt_orchestrate.dashboard.marks import Figure, hover
from sigopt_orchestrate.dashboard.wording import improvement
from sigopt_orchestrate.lifecycle import IN_FLIGHT
from sigopt_orchestrate.server.json_bodies import Json
from sigopt_orchestrate.server.pages.explaining import shares_of
from sigopt_orchestrate.server.pages.filtering import is_narrowed, narrowed, ordered
from sigopt_orchestrate.server.pages.relation import (
    read_all,
    relation_of,
    totals,
    version,
)
from sigopt_orchestrate.server.pages.sample import sample
from sigopt_orchestrate.server.pages.subjects import Subject
from sigopt_orchestrate.spec import Experiment
from sigopt_orchestrate.store import TrialRecord

Query = dict[str, str]
_PAGE = 50


def summary(tx: Connection, subject: Subject) -> Json:
    """Returns what the list of experiments says of one."""
    all_of_it = totals(tx, relation_of(tx, subject))
    held = all_of_it.counts
    return {
        "kind": subject.kind,
        "id": subject.id,
        "name": subject.name,
        "state": subject.state,
        "paused": subject.paused,
        "reason": subject.reason,
        "created_at": subject.created_at,
        "ended_at": subject.ended_at,
        "budget": subject.budget,
        "counts": held,
        "observed": held.get("completed", 0) + held.get("failed", 0),
        "running": sum(held.get(state, 0) for state in IN_FLIGHT),
        "objectives": [m.name for m in subject.spec.objectives],
        "best": all_of_it.best,
        "spent_s": all_of_it.spent_s,
    }


def head(tx: Connection, subject: Subject, _query: Query) -> Json:
    """Returns the head of an experiment's page, and what its filters can be about."""
    spec = subject.spec
    return {
        **summary(tx, subject),
        "version": version(tx, subject),
        "parallel": spec.parallel,
        "command": _command(spec),
        "parameters": [_parameter(p) for p in spec.parameters],
        "metrics": [
            {"name": m.name, "objective": m.objective, "strategy": m.strategy} for m in spec.metrics
        ],
    }


def overview(tx: Connection, subject: Subject, query: Query) -> Json:
    """Returns an experiment's best trials, and the plots of its progress."""
    relation = relation_of(tx, subject)
    spec = subject.spec
    trials, total = sample(tx, relation, query)
    best = best_trials(spec, trials)
    plots = []
    if comparable(spec, trials):
        if len(spec.objectives) == 2:
            plots.append(_plot("Trade-off", figures.front(spec, trials)))
        plots += [
            _plot(f"Best {metric.name} so far", figures.progress(spec, metric, trials))
            for metric in spec.objectives
        ]
    return {
        "best": [_trial(spec, trial, trials) for trial in best[:20]],
        "front_size": len(best),
        "shown": len(trials),
        "matching": total,
        **_drawn(spec, trials, plots),
    }


def parallel(tx: Connection, subject: Subject, query: Query) -> Json:
    """Returns one line a trial through every parameter and objective."""
    trials, total = sample(tx, relation_of(tx, subject), query)
    plots = []
    if comparable(subject.spec, trials):
        plots.append(_plot("Parallel coordinates", figures.parallel(subject.spec, trials)))
    return {"matching": total, "shown": len(trials), **_drawn(subject.spec, trials, plots)}


def parameters(tx: Connection, subject: Subject, query: Query) -> Json:
    """Returns how much each parameter matters, and each metric against each parameter."""
    spec = subject.spec
    relation = relation_of(tx, subject)
    trials, total = sample(tx, relation, query)
    plots, slices = [], []
    if comparable(spec, trials):
        shares = shares_of(tx, subject, trials)
        if any(shares.values()):
            plots.append(_plot("Importance", figures.importance(shares)))
        for metric in spec.objectives:
            slices += [
                _plot(f"{metric.name} by {p.name}", figures.slice_of(spec, metric, p, trials))
                for p in spec.parameters
            ]
    drawn = _drawn(spec, trials, [*plots, *slices])
    return {"matching": total, "shown": len(trials), "slices": len(slices), **drawn}


def trials_page(tx: Connection, subject: Subject, query: Query) -> Json:
    """Returns one page of the trials, sorted and narrowed by the database."""
    relation = relation_of(tx, subject)
    spec = subject.spec
    offset = _whole(query.get("offset"), 0, 10_000_000)
    limit = _whole(query.get("limit"), _PAGE, 200)
    rows = ordered(relation, query, narrowed(relation, query, select(relation.rows)))
    found = read_all(tx, relation, rows.limit(limit).offset(offset))
    number = select(func.count()).select_from(relation.rows)
    if is_narrowed(query):
        number = narrowed(relation, query, number)
    columns = [
        {"key": "number", "label": "trial"},
        {"key": "state", "label": "state"},
        *({"key": f"m.{m.name}", "label": m.name} for m in spec.metrics),
        *({"key": f"p.{p.name}", "label": p.name} for p in spec.parameters),
        {"key": "duration", "label": "time"},
        {"key": "source", "label": "source"},
    ]
    return {
        "columns": columns,
        "rows": [_row(spec, trial) for trial in found],
        "offset": offset,
        "limit": limit,
        "total": int(tx.execute(number).scalar_one()),
    }


def one_trial(tx: Connection, subject: Subject, number: int) -> TrialRecord | None:
    """Returns a trial."""
    relation = relation_of(tx, subject)
    rows = select(relation.rows).where(relation.columns.number == number)
    return next(iter(read_all(tx, relation, rows)), None)


def trial_view(spec: Experiment, trial: TrialRecord) -> Json:
    """Returns what the page says of one trial, but for its files."""
    return {
        "number": trial.number,
        "state": str(trial.state),
        "source": trial.source,
        "attempt": trial.attempt,
        "reason": trial.reason,
        "created_at": trial.created_at,
        "started_at": trial.started_at,
        "ended_at": trial.ended_at,
        "duration_s": _took(trial),
        "values": dict(trial.values or {}),
        "assignments": trial.assignments,
        "metrics": [m.name for m in spec.metrics],
    }


def _took(trial: TrialRecord) -> float | None:
    """How long a trial took, or has been at it."""
    if trial.state.in_flight and trial.started_at is not None:
        return max(0.0, time.time() - trial.started_at)
    return trial.duration_s


def _row(spec: Experiment, trial: TrialRecord) -> Json:
    values = trial.values or {}
    return {
        "number": trial.number,
        "state": str(trial.state),
        "reason": trial.reason,
        "cells": [
            *(values.get(m.name) for m in spec.metrics),
            *(trial.assignments.get(p.name) for p in spec.parameters),
        ],
        "duration_s": _took(trial),
        "source": trial.source,
    }


def _trial(spec: Experiment, trial: TrialRecord, trials: list[TrialRecord]) -> Json:
    """A best trial, with what it gained over the defaults."""
    reference = default_trial(trials)
    gains: dict[str, str] = {}
    if reference is not None:
        for metric in spec.objectives:
            if gained := gain(metric, trial, reference):
                value = objective_value(metric, reference) or 0.0
                gains[metric.name] = improvement(gained, value)
    return {**trial_view(spec, trial), "gains": gains}


def _plot(title: str, figure: Figure) -> Json:
    return {"title": title, "figure": figure}


def _drawn(spec: Experiment, trials: list[TrialRecord], plots: list[Json]) -> Json:
    return {"plots": plots, "hover": {t.number: hover(spec, t) for t in trials} if plots else {}}


def _command(spec: Experiment) -> str:
    return spec.command if isinstance(spec.command, str) else " ".join(spec.command or ())


def _parameter(parameter: Any) -> Json:
    if parameter.type == "categorical":
        return {
            "name": parameter.name,
            "type": "categorical",
            "values": list(parameter.categorical_values),
        }
    return {
        "name": parameter.name,
        "type": parameter.type,
        "min": parameter.bounds.min,
        "max": parameter.bounds.max,
        "log": parameter.transformation == "log",
    }


def _whole(text: str | None, default: int, most: int) -> int:
    return min(most, int(text)) if text is not None and text.isdigit() else default
