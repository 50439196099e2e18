"""Whether the experiment has used what it may use; asked whenever a trial is about to start."""

import time

from sigopt_orchestrate.executors import experiment_spending
from sigopt_orchestrate.store import ExperimentFolder, ExperimentRecord


def limit_reached(experiment: ExperimentRecord, folder: ExperimentFolder) -> str | None:
    """Returns which limit is reached, as a sentence; None while there is room."""
    limits = experiment.spec.limits
    if limits.wall_s is not None and time.time() - experiment.created_at >= limits.wall_s:
        return f"limits.wall: {limits.wall_s:g} s have passed since it was created"
    if limits.cost_usd is not None:
        spent = experiment_spending(folder)
        if spent is not None and spent.usd >= limits.cost_usd:
            return f"limits.cost_usd: {spent.usd:.2f} of {limits.cost_usd:g} USD are spent"
    return None
