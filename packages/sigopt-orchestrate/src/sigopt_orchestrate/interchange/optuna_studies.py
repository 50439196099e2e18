"""Optuna's studies: into a store, and out of one."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from sigopt_orchestrate.errors import MissingDependencyError, OrchestrateError
from sigopt_orchestrate.interchange.recording import Past, record
from sigopt_orchestrate.lifecycle import TrialState
from sigopt_orchestrate.spec import Assignments, CategoricalParameter, Experiment, Parameter
from sigopt_orchestrate.store import ExperimentRecord, Store, TrialRecord


def import_study(
    store: Store,
    storage: str,
    study: str | None = None,
    command: str | None = None,
    budget: int | None = None,
) -> tuple[ExperimentRecord, list[str]]:
    """Makes an experiment of an Optuna study, and returns it with a note on every change.

    Args:
        store: Where to write.
        storage: Optuna's storage URL.
        study: The study's name; the only one where None.
        command: The experiment's command, to go on with it; None for one that Python asks.
        budget: Of the experiment; the number of trials imported where None.

    Raises:
        OrchestrateError: If the study is not there, has no finished trial, or more than two
            objectives.
    """
    optuna = _optuna()
    source = _load(optuna, storage, study)
    notes: list[str] = []
    finished = [
        t for t in source.get_trials(deepcopy=False) if t.state.name in {"COMPLETE", "FAIL"}
    ]
    parameters = _parameters(finished, notes)
    metrics = _metrics(source)
    wanted = {parameter["name"] for parameter in parameters}
    trials = []
    for trial in finished:
        if not wanted <= set(trial.params):
            missing = ", ".join(sorted(wanted - set(trial.params)))
            notes.append(f"trial {trial.number}: left out; it has no {missing}")
            continue
        held: Assignments = {name: _plain(trial.params[name]) for name in sorted(wanted)}
        values = None
        if trial.state.name == "COMPLETE":
            values = {m["name"]: float(v) for m, v in zip(metrics, trial.values, strict=True)}
        trials.append(Past(held, values, None if values else "failed in Optuna"))
    if not trials:
        raise OrchestrateError(f"study {source.study_name!r} has no trial to import")
    keys: dict[str, Any] = {
        "name": source.study_name[:100],
        "command": command,
        "parameters": parameters,
        "metrics": metrics,
        "budget": max(len(trials), budget or 0),
    }
    spec = Experiment.model_validate(keys)
    return record(store, spec, Path.cwd(), trials, "optuna"), notes


def export_study(
    experiment: ExperimentRecord, trials: Sequence[TrialRecord], storage: str, name: str = ""
) -> str:
    """Makes an Optuna study of an experiment's observations, and returns its name.

    Args:
        experiment: Whose trials.
        trials: In any state; completed and failed ones are exported.
        storage: Optuna's storage URL.
        name: Of the study; the experiment's name and id where it is empty.

    Raises:
        OrchestrateError: If there is such a study, or the storage cannot be used.
    """
    optuna = _optuna()
    spec = experiment.spec
    name = name or f"{spec.name} ({experiment.id})"
    directions = [metric.objective for metric in spec.objectives]
    try:
        study = optuna.create_study(storage=storage, study_name=name, directions=directions)
    except Exception as error:  # noqa: BLE001 - whatever the storage's driver raises
        raise OrchestrateError(f"--output {storage}: {_first_line(error)}") from None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Optuna calls the names of metrics an experiment
        study.set_metric_names([metric.name for metric in spec.objectives])
    distributions = {p.name: _distribution(optuna, p) for p in spec.parameters}
    states = optuna.trial.TrialState
    made = []
    for trial in trials:
        if not trial.state.observed:
            continue
        complete = trial.state is TrialState.COMPLETED and trial.values is not None
        values = [(trial.values or {})[m.name] for m in spec.objectives] if complete else None
        made.append(
            optuna.trial.create_trial(
                state=states.COMPLETE if complete else states.FAIL,
                params={n: v for n, v in trial.assignments.items() if n in distributions},
                distributions={n: d for n, d in distributions.items() if n in trial.assignments},
                values=values,
                user_attrs={"orchestrate_trial": trial.number, "reason": trial.reason},
            )
        )
    study.add_trials(made)
    return name


def _optuna() -> ModuleType:
    try:
        import optuna  # noqa: PLC0415 - an extra, and a second of imports
    except ImportError:
        raise MissingDependencyError("an Optuna study", "optuna", "optuna") from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    module: ModuleType = optuna
    return module


def _load(optuna: ModuleType, storage: str, study: str | None) -> Any:
    try:
        names = optuna.get_all_study_names(storage)
    except Exception as error:  # noqa: BLE001 - whatever the storage's driver raises
        raise OrchestrateError(f"{storage}: {_first_line(error)}") from None
    if study is None and len(names) != 1:
        held = ", ".join(names) or "none"
        raise OrchestrateError(f"--study: is required, {storage} holds {len(names)}: {held}")
    if study is not None and study not in names:
        raise OrchestrateError(f"--study: {storage} holds no study {study!r}")
    return optuna.load_study(study_name=study or names[0], storage=storage)


def _metrics(study: Any) -> list[dict[str, Any]]:
    count = len(study.directions)
    if count > 2:
        raise OrchestrateError(f"study {study.study_name!r} has {count} objectives; at most 2 are")
    names = study.metric_names or (["value"] if count == 1 else ["value_0", "value_1"])
    return [
        {"name": name, "objective": direction.name.lower()}
        for name, direction in zip(names, study.directions, strict=True)
    ]


def _parameters(trials: Sequence[Any], notes: list[str]) -> list[dict[str, Any]]:
    """The parameters, with bounds that hold every trial's."""
    found: dict[str, list[Any]] = {}
    for trial in trials:
        for name, distribution in trial.distributions.items():
            found.setdefault(name, []).append(distribution)
    made: list[dict[str, Any]] = []
    for name, distributions in found.items():
        first = distributions[0]
        if hasattr(first, "choices"):
            values = list(dict.fromkeys(_plain(c) for d in distributions for c in d.choices))
            if len(values) > 1:
                made.append({"name": name, "type": "categorical", "categorical_values": values})
                continue
        else:
            low = min(d.low for d in distributions)
            high = max(d.high for d in distributions)
            kind = "int" if type(first).__name__.startswith("Int") else "double"
            if (step := first.step) not in (None, 1):
                notes.append(f"{name}: its step of {step} is dropped")
            if low < high:
                bounds = {"min": low, "max": high}
                scale = "log" if first.log else None
                made.append({"name": name, "type": kind, "bounds": bounds, "transformation": scale})
                continue
        notes.append(f"{name}: left out; it has one value only")
    return made


def _plain(value: Any) -> Any:
    """A value as ours may be: Optuna's None and booleans become text."""
    return str(value) if value is None or isinstance(value, bool) else value


def _distribution(optuna: ModuleType, parameter: Parameter) -> Any:
    kinds = optuna.distributions
    if isinstance(parameter, CategoricalParameter):
        return kinds.CategoricalDistribution(parameter.categorical_values)
    low, high = parameter.bounds.min, parameter.bounds.max
    log = parameter.transformation == "log"
    kind = kinds.IntDistribution if parameter.type == "int" else kinds.FloatDistribution
    return kind(low, high, log=log)


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).partition("\n")[0]
