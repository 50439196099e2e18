"""An experiment as a page for people."""

from sigopt_orchestrate.dashboard.analysis import best_trials
from sigopt_orchestrate.dashboard.page import write_report

__all__ = ["best_trials", "write_report"]
