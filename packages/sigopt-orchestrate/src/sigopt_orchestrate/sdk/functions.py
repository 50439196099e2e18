"""Functions as trials: each call of one is a process of its own."""

import functools
import inspect
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Generic, ParamSpec, TypeVar

from sigopt_orchestrate.errors import SpecError
from sigopt_orchestrate.sdk.experiment import Callback, Experiment
from sigopt_orchestrate.sdk.results import Results
from sigopt_orchestrate.sdk.space import Metrics, Space

_P = ParamSpec("_P")
_T = TypeVar("_T")


class TrialFunction(Generic[_P, _T]):
    """A function that may still be called, and that `optimize` calls in processes of their own."""

    def __init__(self, function: Callable[_P, _T], parameters: Space, metrics: Metrics) -> None:
        functools.update_wrapper(self, function)
        self.function = function
        self._parameters = parameters
        self._metrics = metrics
        known = inspect.signature(function).parameters
        takes_all = any(p.kind is p.VAR_KEYWORD for p in known.values())
        for name in parameters:
            if name not in known and not takes_all:
                raise SpecError(f"parameters: {function.__qualname__} takes no argument {name!r}")

    def __call__(self, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Calls the function here and now, as if it were no trial."""
        return self.function(*args, **kwargs)

    def experiment(self, budget: int, **options: Any) -> Experiment:
        """Returns the experiment whose trials call the function.

        Args:
            budget: How many observations in all.
            **options: As for `Experiment.create`: `parallel`, `name`, `home`, `timeouts`, ...

        Raises:
            SpecError: If another process could not find the function again.
        """
        call = [sys.executable, "-m", "sigopt_orchestrate.sdk.call", _target(self.function)]
        literal = [word.replace("{", "{{").replace("}", "}}") for word in call]
        given: dict[str, Any] = {"name": self.function.__name__, "command": literal} | options
        return Experiment.create(
            parameters=self._parameters, metrics=self._metrics, budget=budget, **given
        )

    def optimize(
        self, budget: int, *, callbacks: Iterable[Callback] = (), **options: Any
    ) -> Results:
        """Runs the function with `budget` choices of its parameters; see `experiment`."""
        return self.experiment(budget, **options).run(callbacks)


def trial(
    *, parameters: Space, metrics: Metrics
) -> Callable[[Callable[_P, _T]], TrialFunction[_P, _T]]:
    """Makes the decorated function a trial.

    It must be at the top level of its module, which each trial imports anew: a script that
    optimises its own function does so below `if __name__ == "__main__":`.

    Args:
        parameters: The arguments to choose, by name.
        metrics: What it returns: a number for one metric, or a mapping by name. A function that
            returns None has called `report` itself.

    Example:
        >>> @trial(parameters={"rate": double(1e-5, 1, log=True)}, metrics="accuracy")
        ... def train(rate):
        ...     return 1 - abs(rate - 0.01)
        >>> train.optimize(budget=20, parallel=2).best.assignments  # doctest: +SKIP
    """

    def decorate(function: Callable[_P, _T]) -> TrialFunction[_P, _T]:
        return TrialFunction(function, parameters, metrics)

    return decorate


def _target(function: Callable[..., Any]) -> str:
    """Names a function for another process: a module or a script's path, and the name in it."""
    module, name = function.__module__, function.__qualname__
    if "<locals>" in name:
        raise SpecError(f"{name}: a trial must be a function at the top level of its module")
    if module != "__main__":
        return f"{module}:{name}"
    script = getattr(sys.modules["__main__"], "__file__", None)
    if script is None:
        raise SpecError(
            f"{name}: other processes cannot import it from a session; put it in a file"
        )
    return f"{Path(script).absolute()}:{name}"
