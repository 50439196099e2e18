"""Experiments and trials as the store would give them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sigopt_orchestrate.lifecycle import ExperimentState, TrialState
from sigopt_orchestrate.spec import Experiment
from sigopt_orchestrate.store.records import ExperimentRecord, TrialRecord

PARAMETERS = [
    {
        "name": "lr",
        "type": "double",
        "bounds": {"min": 1e-5, "max": 0.1},
        "transformation": "log",
    },
    {"name": "layers", "type": "int", "bounds": {"min": 1, "max": 4}},
    {"name": "dropout", "type": "double", "bounds": {"min": 0, "max": 0.5}},
    {"name": "optimizer", "type": "categorical", "categorical_values": ["adam", "sgd"]},
]


def _spec(*objectives: str, **changes: Any) -> Experiment:
    """An experiment with one metric for each of `maximize` and `minimize` that is given."""
    metrics = [{"name": f"metric-{i}", "objective": o} for i, o in enumerate(objectives)]
    fields = {
        "name": "digits",
        "command": "train --lr {lr}",
        "parameters": PARAMETERS,
        "metrics": metrics,
        "budget": 20,
    }
    return Experiment.model_validate(fields | changes)


def _trial(spec: Experiment, number: int, *values: float, **changes: Any) -> TrialRecord:
    """A completed trial; a failed one if it has no values."""
    assignments = {
        p.name: p.categorical_values[number % 2] if p.type == "categorical" else p.bounds.min
        for p in spec.parameters
    }
    fields: dict[str, Any] = {
        "id": number,
        "number": number,
        "assignments": assignments,
        "source": "bayesian",
        "state": TrialState.COMPLETED if values else TrialState.FAILED,
        "attempt": 1,
        "token": "t",
        "errors": 0,
        "losses": 0,
        "values": {f"metric-{i}": value for i, value in enumerate(values)} or None,
        "reason": None if values else "the command exited with status 1",
        "created_at": 1e9,
        "started_at": 1e9 + number,
        "ended_at": 1e9 + number + 5,
    }
    return TrialRecord(**(fields | changes))


def _experiment(spec: Experiment, **changes: Any) -> ExperimentRecord:
    fields: dict[str, Any] = {
        "id": 7,
        "spec": spec,
        "directory": Path("/work"),
        "state": ExperimentState.COMPLETED,
        "epoch": 1,
        "stop_requested": False,
        "paused": False,
        "reason": None,
        "created_at": 1e9,
        "ended_at": 1e9 + 90,
    }
    return ExperimentRecord(**(fields | changes))


@pytest.fixture(scope="session")
def make_spec() -> Callable[..., Experiment]:
    return _spec


@pytest.fixture(scope="session")
def make_trial() -> Callable[..., TrialRecord]:
    return _trial


@pytest.fixture(scope="session")
def make_experiment() -> Callable[..., ExperimentRecord]:
    return _experiment
