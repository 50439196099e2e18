"""What a trial wrote: its log's end, its learning curves, what it uses of the machine."""

import json
import os
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

from sigopt_orchestrate.artifacts.keys import output_uri
from sigopt_orchestrate.executors import experiment_spending, trial_usd, usage
from sigopt_orchestrate.server.json_bodies import Json
from sigopt_orchestrate.server.pages.subjects import Subject
from sigopt_orchestrate.store import (
    AttemptFolder,
    ExperimentFolder,
    Home,
    TrialRecord,
    read_checkpoints,
    resources,
    schema,
)

_TAIL = 64 << 10
_MOST_POINTS = 500


def experiment_folder(tx: Connection, home: Path, experiment_id: int) -> ExperimentFolder:
    """Returns where a local experiment's files lie; several databases may share a home."""
    root = home
    if tx.dialect.name != "sqlite":
        name = tx.execute(select(schema.store.c.name)).scalar_one()
        root = home / f"postgresql-{name[:8]}"
    return Home(root).experiment(experiment_id)


def files_of(subject: Subject, trial: TrialRecord, folder: ExperimentFolder) -> Json:
    """Returns what lies on this machine of a local trial's present attempt."""
    attempt = folder.attempt(trial.number, trial.attempt)
    used = usage(attempt) if trial.state.in_flight else None
    return {
        "log": log_tail(attempt, subject.spec.secrets),
        "curves": curves(
            [(c.step, dict(c.values)) for c in read_checkpoints(attempt.metrics, _names(subject))]
        ),
        "output": output_uri(subject, trial.number, trial.attempt) or str(attempt.output),
        "cost_usd": trial_usd(folder, trial.number, trial.attempt),
        "usage": None if used is None else {"memory": used.memory, "cpu_s": used.cpu_s},
        "told_to_end": attempt.stop.exists(),
    }


def cost(subject: Subject, folder: ExperimentFolder) -> Json | None:
    """Returns what a local experiment's instances have cost; None if it has none."""
    spent = experiment_spending(folder) if subject.kind == "local" else None
    return None if spent is None else {"usd": spent.usd, "unpriced": spent.unpriced}


def served_curves(tx: Connection, observation_id: int) -> Json:
    """Returns the learning curves of an API experiment's run, by the id of its observation."""
    observed, saved = resources.observations.c, resources.checkpoints.c
    run = select(observed.training_run_id).where(observed.id == observation_id)
    run_id = tx.execute(run).scalar_one_or_none()
    if run_id is None:
        return {}
    rows = tx.execute(
        select(saved["values"]).where(saved.training_run_id == run_id).order_by(saved.id)
    )
    points = [
        (float(step), {v["name"]: v["value"] for v in json.loads(row[0])})
        for step, row in enumerate(rows, start=1)
    ]
    return curves(points)


def curves(points: list[tuple[float, dict[str, float]]]) -> Json:
    """Returns steps and values by metric; of long curves an even part, the end included."""
    by_metric: dict[str, dict[str, list[float]]] = {}
    for step, values in points:
        for name, value in values.items():
            curve = by_metric.setdefault(name, {"x": [], "y": []})
            curve["x"].append(step)
            curve["y"].append(value)
    for curve in by_metric.values():
        step = -(-len(curve["x"]) // _MOST_POINTS)
        for axis in ("x", "y"):
            values_kept = curve[axis]
            last = values_kept[-1:] if (len(values_kept) - 1) % step else []
            curve[axis] = values_kept[::step] + last
    return dict(by_metric)


def log_tail(attempt: AttemptFolder, secrets: tuple[str, ...]) -> Json:
    """Returns the last part of a log, with the secrets that this process knows overwritten."""
    try:
        with attempt.log.open("rb") as log:
            size = log.seek(0, os.SEEK_END)
            log.seek(max(0, size - _TAIL))
            text = log.read().decode(errors="replace")
    except OSError:
        return {"text": "", "size": 0, "cut": False}
    for name in secrets:
        if value := os.environ.get(name):
            text = text.replace(value, "*" * len(value))
    return {"text": text, "size": size, "cut": size > _TAIL}


def _names(subject: Subject) -> list[str]:
    return [metric.name for metric in subject.spec.metrics]


def workers(
    tx: Connection, subject: Subject, running: list[TrialRecord], folder: ExperimentFolder
) -> list[Json]:
    """Returns what runs now, and what it uses; of an API experiment its open suggestions."""
    if subject.kind == "api":
        return _served_workers(tx, subject)
    found: list[Json] = []
    for trial in running:
        attempt = folder.attempt(trial.number, trial.attempt)
        used = usage(attempt)
        points = read_checkpoints(attempt.metrics, _names(subject))
        found.append(
            {
                "number": trial.number,
                "state": str(trial.state),
                "attempt": trial.attempt,
                "started_at": trial.started_at,
                "assignments": trial.assignments,
                "memory": None if used is None else used.memory,
                "cpu_s": None if used is None else used.cpu_s,
                "last": {"step": points[-1].step, **points[-1].values} if points else None,
            }
        )
    return found


def _served_workers(tx: Connection, subject: Subject) -> list[Json]:
    opened, runs = resources.suggestions.c, resources.training_runs.c
    joined = resources.suggestions.outerjoin(
        resources.training_runs, runs.suggestion_id == opened.id
    )
    query = (
        select(opened.id, opened.created, opened.assignments, runs.name, runs.checkpoint_count)
        .select_from(joined)
        .where(opened.experiment_id == subject.id, opened.deleted.is_(False), opened.open.is_(True))
        .order_by(opened.id)
        .limit(200)
    )
    found: list[Json] = []
    for row in tx.execute(query):
        assignments: dict[str, Any] = json.loads(row.assignments)
        last = {"step": row.checkpoint_count} if row.checkpoint_count else None
        found.append(
            {
                "number": None,
                "state": row.name or f"suggestion {row.id}",
                "attempt": 1,
                "started_at": row.created,
                "assignments": assignments,
                "memory": None,
                "cpu_s": None,
                "last": last,
            }
        )
    return found
