"""Running attempts of trials: one interface, and the local machine behind it."""

from sigopt_orchestrate.executors.executor import Attempt, Executor, Work
from sigopt_orchestrate.executors.local import LocalExecutor
from sigopt_orchestrate.executors.presence import (
    Absent,
    Ended,
    Exit,
    Lost,
    Presence,
    Running,
    Starting,
)
from sigopt_orchestrate.executors.spending import Spending, experiment_spending, trial_usd
from sigopt_orchestrate.executors.supervisor import wake
from sigopt_orchestrate.executors.usage import Usage, usage

__all__ = [
    "Absent",
    "Attempt",
    "Ended",
    "Executor",
    "Exit",
    "LocalExecutor",
    "Lost",
    "Presence",
    "Running",
    "Spending",
    "Starting",
    "Usage",
    "Work",
    "experiment_spending",
    "trial_usd",
    "usage",
    "wake",
]
