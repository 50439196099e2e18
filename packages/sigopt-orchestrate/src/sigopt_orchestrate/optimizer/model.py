"""Gaussian processes of the objectives over the space."""

from collections.abc import Sequence

import torch
from botorch.fit import fit_gpytorch_mll
from botorch.models.gp_regression import SingleTaskGP
from botorch.models.kernels.categorical import CategoricalKernel
from botorch.models.model_list_gp_regression import ModelListGP
from botorch.models.utils.gpytorch_modules import get_covar_module_with_dim_scaled_prior
from gpytorch.constraints import GreaterThan
from gpytorch.kernels import Kernel
from gpytorch.mlls import ExactMarginalLogLikelihood
from gpytorch.priors import LogNormalPrior
from torch import Tensor


def fit(X: Tensor, Y: Tensor, categorical: Sequence[int]) -> SingleTaskGP | ModelListGP:
    """Returns a model of each column of `Y`, its hyperparameters at the maximum of the posterior.

    BoTorch's priors of today: lengthscales that grow with the square root of the dimension
    (Hvarfner et al. 2024) and a log-normal noise.

    Args:
        X: Points, `(n, d)`, float64; ordered columns in [0, 1].
        Y: Standardised outcomes, `(n, m)`, float64.
        categorical: The columns of `X` without an order.

    Raises:
        ModelFittingError: If no fit succeeds.
    """
    models = [_fit_one(X, Y[:, [j]], categorical) for j in range(Y.shape[1])]
    return models[0] if len(models) == 1 else ModelListGP(*models)


def _fit_one(X: Tensor, y: Tensor, categorical: Sequence[int]) -> SingleTaskGP:
    kernel = _kernel(X.shape[1], categorical)
    model = SingleTaskGP(X, y, covar_module=kernel, outcome_transform=None)
    fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
    return model


def _kernel(dimension: int, categorical: Sequence[int]) -> Kernel:
    """The product of BoTorch's default kernel over the ordered columns and one over the others.

    `MixedSingleTaskGP` adds a sum of the two and four scales without priors, which few
    observations cannot tell apart.
    """
    ordered = [i for i in range(dimension) if i not in categorical]
    kernels: list[Kernel] = []
    if ordered:
        kernels.append(
            get_covar_module_with_dim_scaled_prior(ard_num_dims=len(ordered), active_dims=ordered)
        )
    if categorical:
        prior = LogNormalPrior(loc=1.0, scale=1.0)  # mode 1: another value, correlation 1/e
        kernels.append(
            CategoricalKernel(
                ard_num_dims=len(categorical),
                active_dims=list(categorical),
                lengthscale_prior=prior,
                lengthscale_constraint=GreaterThan(
                    1e-2, transform=None, initial_value=torch.ones(())
                ),
            )
        )
    return kernels[0] if len(kernels) == 1 else kernels[0] * kernels[1]
