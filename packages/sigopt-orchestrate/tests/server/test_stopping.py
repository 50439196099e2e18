from typing import Any

from sigopt_orchestrate.server.stopping import checkpoint_stops
from sigopt_orchestrate.server.wire.definition import Definition
from sigopt_orchestrate.server.wire.experiments import build


def _definition(*criteria: dict[str, Any]) -> Definition:
    body = {
        "parameters": [{"name": "x", "type": "double", "bounds": {"min": 0, "max": 1}}],
        "metrics": [{"name": "loss", "objective": "minimize"}],
        "training_monitor": {
            "max_checkpoints": 50,
            "early_stopping_criteria": [{"metric": "loss", **c} for c in criteria],
        },
    }
    return build(body, runs_only=False)


def test_each_criterion_of_a_run_is_answered_by_its_name() -> None:
    definition = _definition(
        {"name": "stuck", "type": "convergence", "lookback_checkpoints": 2, "min_checkpoints": 3},
        {"name": "rung", "type": "asha", "min_checkpoints": 3},
        {"name": "half", "type": "median", "min_checkpoints": 4},
    )
    mine = [{"loss": 5.0}, {"loss": 5.0}, {"loss": 6.0}]
    others = [[{"loss": v}] * 3 for v in (1.0, 2.0, 3.0)]
    stops = checkpoint_stops(definition, mine, others)
    assert stops == {"stuck": True, "rung": True, "half": False}
    assert checkpoint_stops(definition, [{"loss": 9.0}, *mine[:1], {"loss": 1.0}], others) == {
        "stuck": False,
        "rung": False,
        "half": False,
    }


def test_without_a_monitor_nothing_stops() -> None:
    assert checkpoint_stops(None, [{"loss": 1.0}], []) == {}
