"""The Gaussian processes that stand for what trials report, chosen and fitted by evidence."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sigopt_orchestrate.optimizer.correlation import Array, Features, Shape
from sigopt_orchestrate.optimizer.fitting import Fit, Limits, fit, prior_modes
from sigopt_orchestrate.optimizer.gaussian_process import GaussianProcess
from sigopt_orchestrate.optimizer.outcomes import NO_WARP, Outcomes, standardise

SHAPES: tuple[Shape, ...] = ("squared exponential", "Matern 5/2")
WARPS = (NO_WARP, 1.0, 0.1)
NOISES = (1e-3, 0.3)  # where to begin
_SUCCESS_LENGTHSCALE, _SUCCESS_NOISE = 0.2, 0.01
_TRIED, _TRIES = 80, 20  # observations and iterations, at most, to decide which model to take
_FITTED = 150  # observations that its hyperparameters are fitted to, at most


@dataclass(frozen=True)
class Surrogate:
    """A process of one metric, and the standardised outcomes that it knows."""

    process: GaussianProcess
    outcomes: Outcomes


def of_objective(
    features: Features, X: Array, values: Array, sign: float, deviations: Array | None
) -> Surrogate:
    """Returns the surrogate of an objective.

    Args:
        features: From points to features.
        X: Points, `(n, d)`, the most important ones first.
        values: As reported, `(n,)`.
        sign: 1 where more is better, -1 where less is.
        deviations: Reported standard deviations, `(n,)`.
    """
    tried, used = slice(0, _TRIED), slice(0, _FITTED)
    best: tuple[float, Fit, Outcomes, float] | None = None
    # The warp is chosen with the first shape, the shape with the warp chosen.
    for shape, warp in [*((SHAPES[0], w) for w in WARPS), *((s, None) for s in SHAPES[1:])]:
        chosen = best[3] if warp is None and best is not None else warp or NO_WARP
        outcomes = standardise(values, sign, deviations, chosen)
        volume = standardise(values[tried], sign, None, chosen).log_volume
        y, noise = outcomes.values[tried], outcomes.noise[tried]
        # What noise explains, short lengthscales explain too: the first climbs begin on both sides.
        starts = (
            [prior_modes(len(X[0]), shape, n) for n in NOISES] if best is None else [best[1].given]
        )
        found = max(
            (fit(features, shape, X[tried], y, noise, start=s, iterations=_TRIES) for s in starts),
            key=lambda fitted: fitted.evidence,
        )
        if best is None or found.evidence + volume > best[0]:
            best = (found.evidence + volume, found, outcomes, chosen)
    assert best is not None  # noqa: S101
    _, found, outcomes, _ = best
    y, noise = outcomes.values, outcomes.noise
    shape, start = found.given.shape, found.given
    given = fit(features, shape, X[used], y[used], noise[used], start=start).given
    return Surrogate(GaussianProcess(features, given, X, y[:, None], noise), outcomes)


def of_margin(features: Features, X: Array, values: Array) -> GaussianProcess:
    """Returns the process of how far a constraint is met, whose threshold is 0.

    Args:
        features: From points to features.
        X: Points, `(n, d)`, the most important ones first.
        values: See `outcomes.margins`, `(n,)`.
    """
    scale = float(np.sqrt(np.mean(values * values))) or 1.0
    scaled = values / scale
    used, noise = slice(0, _FITTED), np.zeros(len(X))
    given = fit(features, "Matern 5/2", X[used], scaled[used], noise[used]).given
    return GaussianProcess(features, given, X, scaled[:, None], noise)


def of_success(features: Features, X: Array, failed: NDArray[np.bool_]) -> GaussianProcess:
    """Returns a process that is above 0 where a trial is likely to succeed.

    A regression on 1 and -1. Their edge is a cliff, which evidence alone would explain by tiny
    lengthscales, so that a failure would teach about its own place only, or by a large variance or
    noise, so that nothing would be certain; hence the limits.

    Args:
        features: From points to features.
        X: Points, `(n, d)`, the most important ones first.
        failed: Which of the trials failed, `(n,)`.
    """
    labels, used, noise = np.where(failed, -1.0, 1.0), slice(0, _FITTED), np.zeros(len(X))
    limits = Limits(_SUCCESS_LENGTHSCALE * math.sqrt(X.shape[1]), 1.0, _SUCCESS_NOISE)
    given = fit(features, "Matern 5/2", X[used], labels[used], noise[used], limits=limits).given
    return GaussianProcess(features, given, X, labels[:, None], noise)
