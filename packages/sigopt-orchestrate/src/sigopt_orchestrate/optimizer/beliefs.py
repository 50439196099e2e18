"""Priors on where good values lie, as a term of the acquisition that fades as trials come in.

Hvarfner et al. (2022), "piBO": the acquisition times the prior to the power beta / n.
"""

import numpy as np

from sigopt_orchestrate.optimizer.acquisition import Belief
from sigopt_orchestrate.optimizer.correlation import Array
from sigopt_orchestrate.spec import DoubleParameter, Experiment
from sigopt_orchestrate.spec.parameters import BetaPrior

_BETA = 10.0
_EDGE = 1e-6


def prior_beliefs(experiment: Experiment, observed: int) -> list[Belief]:
    """Returns one belief for each parameter with a prior.

    Args:
        experiment: Has the parameters.
        observed: How many observations there are, n.
    """
    power = _BETA / max(1, observed)
    first = len(experiment.conditionals)
    return [
        _belief(parameter, column, power)
        for column, parameter in enumerate(experiment.parameters, start=first)
        if isinstance(parameter, DoubleParameter) and parameter.prior is not None
    ]


def _belief(parameter: DoubleParameter, column: int, power: float) -> Belief:
    prior, low = parameter.prior, parameter.bounds.min
    span = parameter.bounds.max - low

    def belief(X: Array) -> tuple[Array, Array]:
        u = X[:, column]
        gradient = np.zeros_like(X)
        if isinstance(prior, BetaPrior):
            inside = np.clip(u, _EDGE, 1 - _EDGE)
            a, b = prior.shape_a - 1, prior.shape_b - 1
            value = a * np.log(inside) + b * np.log1p(-inside)
            slope = np.where(inside == u, a / inside - b / (1 - inside), 0.0)
        else:
            assert prior is not None  # noqa: S101
            away = (low + span * u - prior.mean) / prior.scale
            value = -0.5 * away * away
            slope = -away * span / prior.scale
        gradient[:, column] = power * slope
        return power * value, gradient

    return belief
