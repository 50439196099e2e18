"""Optimisers behind one way of asking: ours, Optuna's and Ax's, each as its users call it."""

import logging
import random
import warnings
from collections.abc import Callable
from typing import Any, Protocol

from problems import Assignments, Problem, Values


class Peer(Protocol):
    """An optimiser that is told what came of what it asked for."""

    def ask(self) -> Assignments:
        """Returns what to evaluate next; asked again before it is told, it has both pending."""

    def tell(self, assignments: Assignments, values: Values) -> None:
        """Hands in what came of the assignments that it asked for the longest ago."""


class Random:
    """Independent uniform draws."""

    def __init__(self, problem: Problem, seed: int) -> None:
        self._problem, self._rng = problem, random.Random(seed)  # noqa: S311

    def ask(self) -> Assignments:
        """See `Peer`."""
        chosen: dict[str, Any] = {
            c["name"]: self._rng.choice(c["values"]) for c in self._problem.conditionals
        }
        for p in self._problem.parameters:
            if not _active(p, chosen):
                continue
            if p["type"] == "categorical":
                chosen[p["name"]] = self._rng.choice(p["categorical_values"])
            else:
                draw = self._rng.uniform if p["type"] == "double" else self._rng.randint
                chosen[p["name"]] = draw(p["bounds"]["min"], p["bounds"]["max"])
        return chosen

    def tell(self, assignments: Assignments, values: Values) -> None:
        """Learns nothing."""


class Optuna:
    """A study in memory; parameters that hang on a choice are asked for where they count."""

    def __init__(self, problem: Problem, seed: int, sampler: str) -> None:
        import optuna  # noqa: PLC0415, the Ax environment need not have it

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        more: dict[str, Any] = {}
        if problem.constraints:
            more["constraints_func"] = lambda trial: trial.user_attrs["constraints"]
        kind = {"tpe": optuna.samplers.TPESampler, "gp": optuna.samplers.GPSampler}[sampler]
        self._problem = problem
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._study = optuna.create_study(
                directions=["minimize"] * len(problem.objectives),
                sampler=kind(seed=seed, **more),
            )
        self._open: list[Any] = []

    def ask(self) -> Assignments:
        """See `Peer`."""
        trial = self._study.ask()
        self._open.append(trial)
        chosen: dict[str, Any] = {}
        for c in self._problem.conditionals:
            chosen[c["name"]] = trial.suggest_categorical(c["name"], c["values"])
        for p in self._problem.parameters:
            name, bounds = p["name"], p.get("bounds", {})
            if not _active(p, chosen):
                continue
            if p["type"] == "categorical":
                chosen[name] = trial.suggest_categorical(name, p["categorical_values"])
            elif p["type"] == "int":
                chosen[name] = trial.suggest_int(name, bounds["min"], bounds["max"])
            else:
                chosen[name] = trial.suggest_float(name, bounds["min"], bounds["max"])
        return chosen

    def tell(self, assignments: Assignments, values: Values) -> None:  # noqa: ARG002
        """See `Peer`."""
        trial = self._open.pop(0)
        trial.set_user_attr("constraints", [values[c] for c in self._problem.constraints])
        self._study.tell(trial, [values[name] for name in self._problem.objectives])


class Ax:
    """Its `Client` as it comes; parameters that do not count are asked for, too."""

    def __init__(self, problem: Problem, seed: int) -> None:
        from ax.api.client import Client  # noqa: PLC0415, in an environment of its own
        from ax.api.configs import ChoiceParameterConfig, RangeParameterConfig  # noqa: PLC0415

        for name in ("ax", "ax.api.client", "ax.service", "ax.generation_strategy"):
            logging.getLogger(name).setLevel(logging.ERROR)
        self._problem = problem
        self._client = Client(random_seed=seed)
        parameters: list[Any] = [
            ChoiceParameterConfig(
                name=c["name"], values=c["values"], parameter_type="str", is_ordered=False
            )
            for c in problem.conditionals
        ]
        for p in problem.parameters:
            if p["type"] == "categorical":
                parameters.append(
                    ChoiceParameterConfig(
                        name=p["name"],
                        values=p["categorical_values"],
                        parameter_type="str",
                        is_ordered=False,
                    )
                )
                continue
            kind = "float" if p["type"] == "double" else "int"
            bounds = (p["bounds"]["min"], p["bounds"]["max"])
            parameters.append(
                RangeParameterConfig(name=p["name"], bounds=bounds, parameter_type=kind)
            )
        self._client.configure_experiment(parameters=parameters, name=problem.name)
        self._client.configure_optimization(
            objective=", ".join(f"-{name}" for name in problem.objectives),
            outcome_constraints=[f"{name} <= 0" for name in problem.constraints],
        )
        self._open: list[int] = []

    def ask(self) -> Assignments:
        """See `Peer`."""
        [(index, chosen)] = self._client.get_next_trials(max_trials=1).items()
        self._open.append(index)
        return {
            **{c["name"]: chosen[c["name"]] for c in self._problem.conditionals},
            **{p["name"]: chosen[p["name"]] for p in self._problem.parameters},
        }

    def tell(self, assignments: Assignments, values: Values) -> None:  # noqa: ARG002
        """See `Peer`."""
        raw = {
            name: values[name] for name in (*self._problem.objectives, *self._problem.constraints)
        }
        self._client.complete_trial(trial_index=self._open.pop(0), raw_data=raw)


class Ours:
    """`suggest`, as the optimiser's process calls it."""

    def __init__(self, problem: Problem, seed: int, parallel: int) -> None:
        from sigopt_orchestrate.spec import Experiment  # noqa: PLC0415, not in Ax's environment

        metrics: list[dict[str, Any]] = [
            {"name": name, "objective": "minimize"} for name in problem.objectives
        ]
        metrics += [
            {"name": name, "objective": "minimize", "strategy": "constraint", "threshold": 0}
            for name in problem.constraints
        ]
        more = {"conditionals": list(problem.conditionals)} if problem.conditionals else {}
        self._experiment = Experiment.model_validate(
            {
                "name": problem.name,
                "command": "true",
                "parameters": list(problem.parameters),
                "metrics": metrics,
                "budget": problem.budget,
                "parallel": parallel,
                "optimizer": {"seed": seed},
                **more,
            }
        )
        self._told = (*problem.objectives, *problem.constraints)
        self._history: list[Any] = []
        self._pending: list[Any] = []

    def ask(self) -> Assignments:
        """See `Peer`."""
        from sigopt_orchestrate.optimizer.suggest import suggest  # noqa: PLC0415

        chosen = suggest(self._experiment, self._history, self._pending).assignments
        self._pending.append(chosen)
        return chosen

    def tell(self, assignments: Assignments, values: Values) -> None:
        """See `Peer`."""
        from sigopt_orchestrate.optimizer import Observed  # noqa: PLC0415

        self._pending.pop(0)
        self._history.append(Observed(dict(assignments), tuple(values[n] for n in self._told)))


PEERS: dict[str, Callable[[Problem, int, int], Peer]] = {
    "ours": Ours,
    "tpe": lambda problem, seed, parallel: Optuna(problem, seed, "tpe"),  # noqa: ARG005
    "gp": lambda problem, seed, parallel: Optuna(problem, seed, "gp"),  # noqa: ARG005
    "ax": lambda problem, seed, parallel: Ax(problem, seed),  # noqa: ARG005
    "random": lambda problem, seed, parallel: Random(problem, seed),  # noqa: ARG005
}


def _active(parameter: Any, chosen: Assignments) -> bool:
    wanted = parameter.get("conditions", {})
    return all(chosen[name] in values for name, values in wanted.items())
