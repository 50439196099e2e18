"""SigOpt Orchestrate: parallel training and hyperparameter optimisation, no trial lost.

Inside a trial: `parameters()` gives what was chosen, `report(metric=value)` says how it went.
"""

from importlib.metadata import version

from sigopt_orchestrate.errors import OrchestrateError, ReportError
from sigopt_orchestrate.worker import parameters, report

__all__ = ["OrchestrateError", "ReportError", "__version__", "parameters", "report"]

__version__ = version("sigopt-orchestrate")
