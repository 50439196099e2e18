"""To other tools and back: what comes out is what went in."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sigopt_orchestrate.interchange import tables
from sigopt_orchestrate.interchange.recording import Past, record
from sigopt_orchestrate.lifecycle import ExperimentState
from sigopt_orchestrate.spec import Experiment
from sigopt_orchestrate.store import ExperimentRecord, Store

PARAMETERS = [
    {"name": "rate", "type": "double", "bounds": {"min": 0.1, "max": 10}, "transformation": "log"},
    {"name": "depth", "type": "int", "bounds": {"min": 1, "max": 4}},
    {"name": "kind", "type": "categorical", "categorical_values": ["a", "b"]},
]


@pytest.fixture
def recorded(store: Store, make_spec: Callable[..., Experiment]) -> ExperimentRecord:
    """Three trials, one of them failed, with the learning curve of the first."""
    metrics = [{"name": "loss", "objective": "minimize"}, {"name": "size", "strategy": "store"}]
    spec = make_spec(parameters=PARAMETERS, metrics=metrics, budget=3)
    past = [
        Past({"rate": 0.5, "depth": 1, "kind": "a"}, {"loss": 0.25, "size": 7}),
        Past({"rate": 5.0, "depth": 2, "kind": "b"}, None, 'it said "no", twice'),
        Past({"rate": 1.0, "depth": 4, "kind": "b"}, {"loss": 0.125}),
    ]
    made = record(store, spec, Path("/work"), past, "elsewhere")
    report = store.home.experiment(made.id).attempt(1, 1).metrics
    report.parent.mkdir(parents=True)
    report.write_text('{"step": 1, "loss": 0.5}\n{"step": 2, "loss": 0.25}\nnot yet whol')
    return made


def test_what_was_run_elsewhere_is_recorded_once_and_completed(
    store: Store, recorded: ExperimentRecord
) -> None:
    assert recorded.state is ExperimentState.COMPLETED
    trials = store.trials(recorded.id)
    assert [t.values for t in trials] == [{"loss": 0.25, "size": 7}, None, {"loss": 0.125}]
    assert {t.source for t in trials} == {"elsewhere"}


def test_tables_hold_every_value_to_the_last_digit(
    store: Store, recorded: ExperimentRecord, tmp_path: Path
) -> None:
    trials = store.trials(recorded.id)
    rows = tables.rows(recorded.spec, trials)
    names = tables.columns(recorded.spec, trials)
    assert [list(row) for row in rows] == [names] * 3
    assert json.loads(tables.write_json(rows)) == rows
    read = list(csv.DictReader(io.StringIO(tables.write_csv(rows, names))))
    assert [float(row["parameters.rate"]) for row in read] == [0.5, 5.0, 1.0]
    assert read[1]["reason"] == 'it said "no", twice'
    parquet = pytest.importorskip("pyarrow.parquet")
    tables.write_parquet(rows, tmp_path / "t.parquet")
    assert parquet.read_table(tmp_path / "t.parquet").to_pylist() == rows
    assert tables.write_csv([], tables.columns(recorded.spec, [])).count("\n") == 1


def test_a_study_of_optuna_comes_back_as_it_went(
    store: Store, recorded: ExperimentRecord, tmp_path: Path
) -> None:
    pytest.importorskip("optuna")
    from sigopt_orchestrate.interchange.optuna_studies import (  # noqa: PLC0415
        export_study,
        import_study,
    )

    storage = f"sqlite:///{tmp_path / 'study.db'}"
    before = store.trials(recorded.id)
    name = export_study(recorded, before, storage)
    back, notes = import_study(store, storage)
    after = store.trials(back.id)
    assert notes == []
    assert back.spec.name == name
    assert [t.assignments for t in after] == [t.assignments for t in before]
    assert [t.values and t.values["loss"] for t in after] == [0.25, None, 0.125]
    assert back.spec.objectives[0].objective == "minimize"
    assert [p.model_dump() for p in back.spec.parameters] == [
        p.model_dump() for p in sorted(recorded.spec.parameters, key=_order(back))
    ]


def _order(back: ExperimentRecord) -> Callable[[Any], int]:
    names = [parameter.name for parameter in back.spec.parameters]
    return lambda parameter: names.index(parameter.name)


def test_mlflow_has_each_trial_once_with_its_curve(
    store: Store, recorded: ExperimentRecord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("mlflow.tracking")
    from mlflow.tracking import MlflowClient  # noqa: PLC0415

    from sigopt_orchestrate.interchange.mlflow_runs import MlflowLogger  # noqa: PLC0415

    monkeypatch.chdir(tmp_path)
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    folder = store.home.experiment(recorded.id)
    for _ in range(2):  # a second process adds nothing
        MlflowLogger(uri).log_all(recorded, store.trials(recorded.id), folder)
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name("toy (1)")
    runs = {r.info.run_name: r for r in client.search_runs([experiment.experiment_id])}
    assert {name: run.info.status for name, run in runs.items()} == {
        "trial 1": "FINISHED",
        "trial 2": "FAILED",
        "trial 3": "FINISHED",
    }
    first = runs["trial 1"]
    assert first.data.params == {"rate": "0.5", "depth": "1", "kind": "a"}
    assert first.data.metrics["final/loss"] == 0.25
    curve = client.get_metric_history(first.info.run_id, "loss")
    assert [(point.step, point.value) for point in curve] == [(1, 0.5), (2, 0.25)]


def test_tensorboard_reads_the_curves_back(
    store: Store, recorded: ExperimentRecord, tmp_path: Path
) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import (  # noqa: PLC0415
        EventAccumulator,
    )

    from sigopt_orchestrate.interchange.tensorboard_runs import (  # noqa: PLC0415
        TensorBoardLogger,
    )

    folder = store.home.experiment(recorded.id)
    TensorBoardLogger(tmp_path).log_all(recorded, store.trials(recorded.id), folder)
    events = EventAccumulator(str(tmp_path / "experiment-1" / "trial-0001"))
    events.Reload()
    assert [(e.step, e.value) for e in events.Scalars("loss")] == [(1, 0.5), (2, 0.25)]
    assert events.Scalars("final/loss")[0].value == 0.25
