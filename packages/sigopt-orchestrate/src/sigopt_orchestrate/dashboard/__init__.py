"""tmp."""

from sigopt_orchestrate.dashboard.analysis import best_trials


def write_report(*a): ...
