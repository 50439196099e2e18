"""A Gaussian process over growths: accuracy in logits, on top of what earlier tasks taught.

With a prior from earlier tasks the process models the difference to it, so that a new task starts
from the old tasks' landscape and needs a handful of trials to bend it.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import torch
from botorch.exceptions.warnings import BotorchWarning
from botorch.fit import fit_gpytorch_mll
from botorch.models import SingleTaskGP
from botorch.models.transforms import Standardize
from gpytorch.kernels import MaternKernel, ScaleKernel
from gpytorch.means import LinearMean
from gpytorch.mlls import ExactMarginalLogLikelihood
from linear_operator.utils.warnings import NumericalWarning

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from bocl.growth import Growth
    from bocl.search.trials import Problem, Trial

FEWEST_FOR_FIT = 4
MOST_SIMILAR, FARTHEST = 3, 1.0


def logit(accuracy: Tensor, samples: int) -> Tensor:
    """Returns log odds of accuracies, kept half a sample away from 0 and 1."""
    margin = 0.5 / max(2, samples)
    return torch.logit(accuracy.clamp(margin, 1 - margin))


def transferred(problem: Problem, trials: Sequence[Trial]) -> dict[Growth, float]:
    """Returns the mean of the earlier landscapes that fit the trials best, in logits.

    At most `MOST_SIMILAR` are taken, none that is more than `FARTHEST` logits off; empty without.
    """
    if not trials:
        return {}
    accuracies = torch.tensor([trial.accuracy for trial in trials], dtype=torch.float64)
    found = logit(accuracies, problem.validation)
    distances = []
    for landscape in problem.landscapes:
        if all(trial.growth in landscape for trial in trials):
            expected = torch.tensor([landscape[trial.growth] for trial in trials])
            distances.append((float((found - expected).square().mean().sqrt()), landscape))
    close = sorted((d for d in distances if d[0] < FARTHEST), key=lambda pair: pair[0])
    chosen = [landscape for _, landscape in close[:MOST_SIMILAR]]
    if not chosen:
        return {}
    known = set(chosen[0]).intersection(*chosen[1:])
    return {
        growth: sum(landscape[growth] for landscape in chosen) / len(chosen)
        for growth in problem.space.choices
        if growth in known
    }


class Surrogate:
    """Posterior over the logit of accuracy.

    Args:
        kernel: `rbf` (BoTorch's default, dimension-scaled prior on lengthscales) or `matern`.
    """

    def __init__(self, problem: Problem, trials: Sequence[Trial], kernel: str = "rbf") -> None:
        self._problem = problem
        self._prior = transferred(problem, trials)
        growths = [trial.growth for trial in trials]
        self.inputs = problem.space.encode(growths)
        accuracies = torch.tensor([trial.accuracy for trial in trials], dtype=torch.float64)
        targets = logit(accuracies, problem.validation) - self.prior(growths)
        covariance: Any = None
        if kernel == "matern":
            covariance = ScaleKernel(MaternKernel(nu=2.5, ard_num_dims=self.inputs.shape[1]))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", BotorchWarning)  # few trials: scaling is off by nature
            warnings.simplefilter("ignore", NumericalWarning)  # jitter on near-equal trials
            warnings.simplefilter("ignore", RuntimeWarning)  # standardising one trial
            # returns of width rise steadily: without earlier tasks the mean is a plane, so that few
            # trials say something of growths far from them
            plane = None
            if not self._prior and len(trials) >= FEWEST_FOR_FIT:
                plane = LinearMean(self.inputs.shape[1])
                plane.initialize(weights=0.0, bias=0.0)  # its own start is drawn at random
            self.model = SingleTaskGP(
                self.inputs,
                targets[:, None],
                mean_module=plane,
                covar_module=covariance,
                outcome_transform=Standardize(m=1) if len(trials) >= FEWEST_FOR_FIT else None,
            )
            if len(trials) >= FEWEST_FOR_FIT:
                fit_gpytorch_mll(ExactMarginalLogLikelihood(self.model.likelihood, self.model))
        self.model.eval()

    def prior(self, growths: Sequence[Growth]) -> Tensor:
        """Returns the earlier tasks' logits, zero without earlier tasks."""
        values = [self._prior.get(growth, 0.0) for growth in growths]
        return torch.tensor(values, dtype=torch.float64)

    @torch.no_grad()
    def accuracy(self, growths: Sequence[Growth]) -> tuple[Tensor, Tensor]:
        """Returns posterior mean and standard deviation of accuracy, both (n,)."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NumericalWarning)
            posterior = self.model.posterior(self._problem.space.encode(growths))
        centre = posterior.mean.squeeze(-1) + self.prior(growths)
        mean = torch.sigmoid(centre)
        slope = mean * (1 - mean)  # delta method
        return mean, posterior.variance.squeeze(-1).sqrt() * slope
