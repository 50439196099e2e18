"""Experiments and stores that several tests start from."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sigopt_orchestrate.spec import Experiment
from sigopt_orchestrate.store import ExperimentRecord, Store


@pytest.fixture
def make_spec() -> Callable[..., Experiment]:
    """Makes a small valid experiment; keywords replace its keys."""

    def make(**keys: object) -> Experiment:
        given = {
            "name": "toy",
            "command": ["true"],
            "parameters": [{"name": "x", "type": "double", "bounds": {"min": 0, "max": 1}}],
            "metrics": [{"name": "y"}],
            "budget": 4,
            "parallel": 2,
        }
        return Experiment.model_validate(given | keys)

    return make


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty store."""
    opened = Store(tmp_path / "home")
    yield opened
    opened.close()


@pytest.fixture
def experiment(
    store: Store, make_spec: Callable[..., Experiment], tmp_path: Path
) -> ExperimentRecord:
    """A stored experiment with a budget of 4."""
    return store.create_experiment(make_spec(), tmp_path)
