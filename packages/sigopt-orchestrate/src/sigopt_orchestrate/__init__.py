"""SigOpt Orchestrate: parallel training and hyperparameter optimisation, no trial lost.

Inside a trial: `parameters()` gives what was chosen, `report(metric=value)` says how it went.
Around trials: `Experiment` runs them, `trial` makes a function one, and `OrchestrateSearchCV` is
scikit-learn's way. Those are imported when they are first used, so that a trial starts quickly.
"""

import importlib
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from sigopt_orchestrate.errors import OrchestrateError, ReportError
from sigopt_orchestrate.worker import parameters, report

if TYPE_CHECKING:
    from sigopt_orchestrate.sdk.experiment import Experiment
    from sigopt_orchestrate.sdk.functions import trial
    from sigopt_orchestrate.sdk.results import Results
    from sigopt_orchestrate.sdk.sklearn_search import OrchestrateSearchCV
    from sigopt_orchestrate.sdk.space import categorical, double, integer

__all__ = [
    "Experiment",
    "OrchestrateError",
    "OrchestrateSearchCV",
    "ReportError",
    "Results",
    "__version__",
    "categorical",
    "double",
    "integer",
    "parameters",
    "report",
    "trial",
]

__version__ = version("sigopt-orchestrate")

_LATER = {
    "Experiment": "sdk.experiment",
    "OrchestrateSearchCV": "sdk.sklearn_search",
    "Results": "sdk.results",
    "categorical": "sdk.space",
    "double": "sdk.space",
    "integer": "sdk.space",
    "trial": "sdk.functions",
}


def __getattr__(name: str) -> Any:
    """Imports what is not needed inside a trial when it is first used."""
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_LATER[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
