"""Other packages' samplers behind the same interface, for whoever wants to compare.

Each suggestion hands the whole history to a new study, so that it is a function of the history
like ours, and no state has to survive a restart.
"""

import importlib.util
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from sigopt_orchestrate.errors import MissingDependencyError
from sigopt_orchestrate.optimizer.points import Observed
from sigopt_orchestrate.optimizer.space import Space
from sigopt_orchestrate.spec import (
    Assignments,
    CategoricalParameter,
    DoubleParameter,
    Experiment,
    Parameter,
    Value,
)
from sigopt_orchestrate.spec.consistency import TASK

PACKAGES = {"optuna-tpe": "optuna", "optuna-gp": "optuna", "ax": "ax"}
"""Which package each of the algorithms needs; its extra has the same name."""


def refuse_missing(algorithm: str) -> None:
    """Raises MissingDependencyError if `algorithm` needs a package that is not installed."""
    package = PACKAGES.get(algorithm)
    if package is not None and importlib.util.find_spec(package) is None:
        names = {"optuna": "optuna", "ax": "ax-platform"}
        raise MissingDependencyError(f"optimizer.algorithm {algorithm}", names[package], package)


def propose_as_peer(
    experiment: Experiment, history: Sequence[Observed], pending: Sequence[Assignments]
) -> Assignments | None:
    """Returns what the experiment's algorithm would try next; see `bayesian.propose`."""
    ask = _ask_ax if experiment.optimizer.algorithm == "ax" else _ask_optuna
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        values = ask(experiment, history, pending)
    space = Space(experiment)
    point = space.encode(values)
    return space.decode(point) if space.allows(point) else space.repaired(point)


def _ask_optuna(
    experiment: Experiment, history: Sequence[Observed], pending: Sequence[Assignments]
) -> Assignments:
    import optuna  # noqa: PLC0415, an extra
    from optuna.trial import TrialState, create_trial  # noqa: PLC0415

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    seed = experiment.optimizer.seed + len(history) + len(pending)
    more: dict[str, Any] = {}
    if experiment.constraints:
        more["constraints_func"] = lambda trial: trial.user_attrs.get("constraints", ())
    sampler = (
        optuna.samplers.TPESampler(seed=seed, constant_liar=bool(pending), **more)
        if experiment.optimizer.algorithm == "optuna-tpe"
        else optuna.samplers.GPSampler(seed=seed, **more)
    )
    directions = [metric.objective for metric in experiment.objectives]
    study = optuna.create_study(directions=directions, sampler=sampler)
    for observed in (*history, *(Observed(a, None) for a in pending)):
        params, distributions = _optuna_trial(experiment, observed.assignments)
        state = TrialState.RUNNING if observed.assignments in pending else TrialState.FAIL
        told: dict[str, Any] = {}
        if observed.values is not None:
            state = TrialState.COMPLETE
            count = len(experiment.objectives)
            told["values"] = list(observed.values[:count])
            if experiment.constraints:
                told["system_attrs"] = {"constraints": _excesses(experiment, observed.values)}
        study.add_trial(
            create_trial(state=state, params=params, distributions=distributions, **told)
        )
    trial = study.ask()
    chosen: dict[str, Any] = {}
    for conditional in experiment.conditionals:
        chosen[conditional.name] = trial.suggest_categorical(conditional.name, conditional.values)
    for p in experiment.active(chosen):
        chosen[p.name] = _optuna_value(p, trial._suggest(p.name, _distribution(p)))  # noqa: SLF001
    return {**chosen, **_full_task(experiment)}


def _optuna_trial(
    experiment: Experiment, assignments: Assignments
) -> tuple[dict[str, Any], dict[str, Any]]:
    from optuna.distributions import CategoricalDistribution  # noqa: PLC0415

    params: dict[str, Any] = {c.name: assignments[c.name] for c in experiment.conditionals}
    distributions: dict[str, Any] = {
        c.name: CategoricalDistribution(c.values) for c in experiment.conditionals
    }
    for p in experiment.active(assignments):
        value: Any = assignments[p.name]
        grid = None if isinstance(p, CategoricalParameter) else p.grid
        params[p.name] = value if grid is None else grid.index(value)
        distributions[p.name] = _distribution(p)
    return params, distributions


def _distribution(p: Parameter) -> Any:
    from optuna import distributions  # noqa: PLC0415

    if isinstance(p, CategoricalParameter):
        return distributions.CategoricalDistribution(p.categorical_values)
    if p.grid is not None:
        return distributions.IntDistribution(0, len(p.grid) - 1)
    log = p.transformation == "log"
    if isinstance(p, DoubleParameter):
        return distributions.FloatDistribution(p.bounds.min, p.bounds.max, log=log)
    return distributions.IntDistribution(p.bounds.min, p.bounds.max, log=log)


def _optuna_value(p: Parameter, value: Any) -> Any:
    grid = None if isinstance(p, CategoricalParameter) else p.grid
    return value if grid is None else grid[value]


def _ask_ax(
    experiment: Experiment, history: Sequence[Observed], pending: Sequence[Assignments]
) -> Assignments:
    from ax.api.client import Client  # noqa: PLC0415, an extra

    seed = experiment.optimizer.seed + len(history) + len(pending)
    client = Client(random_seed=seed)
    client.configure_experiment(parameters=_ax_parameters(experiment), name="orchestrate")
    signs = {"maximize": "", "minimize": "-"}
    client.configure_optimization(
        objective=", ".join(
            f"{signs[m.objective]}m{i}" for i, m in enumerate(experiment.objectives)
        ),
        outcome_constraints=[f"c{i} <= 0" for i in range(len(experiment.constraints))],
    )
    for observed in history:
        index = client.attach_trial(_everything(experiment, observed.assignments))
        if observed.values is None:
            client.mark_trial_failed(index)
            continue
        count = len(experiment.objectives)
        told = {f"m{i}": value for i, value in enumerate(observed.values[:count])}
        told |= {f"c{i}": v for i, v in enumerate(_excesses(experiment, observed.values))}
        client.complete_trial(trial_index=index, raw_data=told)
    for assignments in pending:
        client.attach_trial(_everything(experiment, assignments))
    (chosen,) = client.get_next_trials(max_trials=1).values()
    return {**{str(name): value for name, value in chosen.items()}, **_full_task(experiment)}


def _ax_parameters(experiment: Experiment) -> list[Any]:
    from ax.api.configs import ChoiceParameterConfig, RangeParameterConfig  # noqa: PLC0415

    kinds = {str: "str", int: "int", float: "float"}
    found: list[Any] = []
    choices: list[tuple[str, Sequence[Any], bool]] = [
        (c.name, c.values, False) for c in experiment.conditionals
    ]
    for p in experiment.parameters:
        if isinstance(p, CategoricalParameter):
            choices.append((p.name, p.categorical_values, False))
        elif p.grid is not None:
            choices.append((p.name, p.grid, True))
        else:
            found.append(
                RangeParameterConfig(
                    name=p.name,
                    bounds=(p.bounds.min, p.bounds.max),
                    parameter_type="float" if p.type == "double" else "int",
                    scaling=p.transformation,
                )
            )
    for name, values, ordered in choices:
        kind = kinds[type(values[0])]
        config = ChoiceParameterConfig(
            name=name, values=list(values), parameter_type=kind, is_ordered=ordered
        )
        found.append(config)
    return found


def _everything(experiment: Experiment, assignments: Assignments) -> dict[str, Any]:
    """Assignments with the parameters that do not count at their neutral values."""
    space = Space(experiment)
    point = space.encode(assignments)
    named = zip(experiment.known_names(), space.axes, point, strict=False)
    return {name: a.decode(u) for name, a, u in named}


def _excesses(experiment: Experiment, values: Sequence[float]) -> list[float]:
    """How far each constraint is beyond its threshold; at most 0 where it is met."""
    first = len(experiment.objectives)
    return [
        metric.sign * ((metric.threshold or 0.0) - value)
        for metric, value in zip(experiment.constraints, values[first:], strict=True)
    ]


def _full_task(experiment: Experiment) -> Mapping[str, Value]:
    full = [task.name for task in experiment.tasks if task.cost == 1]
    return {TASK: full[0]} if full else {}
