"""What each address does: one room for each kind of object."""

from sigopt_orchestrate.server.endpoints import Endpoint
from sigopt_orchestrate.server.routes import (
    accounts,
    experiments,
    observations,
    projects,
    results,
    run_parts,
    suggestions,
    training_runs,
)

ENDPOINTS: tuple[Endpoint, ...] = (
    *observations.endpoints,  # the busiest come first
    *suggestions.endpoints,
    *training_runs.endpoints,
    *run_parts.endpoints,
    *experiments.endpoints,
    *results.endpoints,
    *projects.endpoints,
    *accounts.endpoints,
)
