"""What a further point promises, given the model and the points still being tried."""

import torch
from botorch.acquisition.acquisition import AcquisitionFunction
from botorch.acquisition.logei import qLogNoisyExpectedImprovement
from botorch.acquisition.multi_objective import logei as hypervolume
from botorch.models.model import Model
from botorch.sampling.normal import SobolQMCNormalSampler
from torch import Tensor

_SAMPLES = 128
_HYPERVOLUME_SAMPLES = 64

# BoTorch 0.18 would compile C++ at the first construction: seconds, and once a process is killed
# in the middle of that, its lock file makes every later one wait for ever (botorch #3275).
hypervolume._load_attempted = True  # noqa: SLF001


def reference_point(Y: Tensor) -> Tensor:
    """Returns the outcomes that a point must beat to count, `(m,)`: a little below the worst seen.

    Not below the front's worst, as is customary: while the front is short, the ends of the true
    one would count for nothing, and never be found.

    Args:
        Y: Standardised outcomes, `(n, m)`.
    """
    worst = Y.amin(0)
    return worst - 0.1 * (Y.amax(0) - worst)


def build(model: Model, X: Tensor, Y: Tensor, X_pending: Tensor, seed: int) -> AcquisitionFunction:
    """Returns the log of the expected improvement, or of the hypervolume's for two objectives.

    The improvement is over the model's own beliefs at `X`, so that noise is not taken for
    progress, and beyond what the pending points will bring.

    Args:
        model: Of the outcomes.
        X: Observed points, `(n, d)`.
        Y: Standardised outcomes, `(n, m)`.
        X_pending: Points still being tried, `(p, d)`; p may be 0.
        seed: Of the quasi-random samples of the posterior.
    """
    pending = X_pending if len(X_pending) else None
    if Y.shape[1] == 1:
        sampler = SobolQMCNormalSampler(torch.Size([_SAMPLES]), seed=seed)
        return qLogNoisyExpectedImprovement(
            model, X, sampler, X_pending=pending, prune_baseline=True
        )
    return hypervolume.qLogNoisyExpectedHypervolumeImprovement(
        model,
        reference_point(Y),
        X,
        SobolQMCNormalSampler(torch.Size([_HYPERVOLUME_SAMPLES]), seed=seed),
        X_pending=pending,
        prune_baseline=True,
    )
