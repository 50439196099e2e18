"""Held to gpytorch, which shares no code with it, and to finite differences."""

import warnings
from typing import Any

import numpy as np
import pytest

from sigopt_orchestrate.errors import SuggestionError
from sigopt_orchestrate.optimizer.correlation import Features, features_of
from sigopt_orchestrate.optimizer.fitting import Density, fit
from sigopt_orchestrate.optimizer.gaussian_process import (
    GaussianProcess,
    Hyperparameters,
    cholesky,
)

SHAPES = ["squared exponential", "Matern 5/2"]
MIXED = features_of([None, 3, None])


def _data(n: int = 24) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    X = rng.random((n, 3))
    X[:, 1] = rng.integers(0, 3, n)
    y = np.sin(5 * X[:, 0]) + (X[:, 1] == 2) - X[:, 2] ** 2
    return X, (y - y.mean()) / y.std()


def _given(shape: Any, noise: float = 1e-3) -> Hyperparameters:
    return Hyperparameters(shape, np.array([0.4, 1.3, 0.7]), 1.7, 0.2, noise)


def _gpytorch(shape: str, given: Hyperparameters, features: Features, X: Any, y: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import gpytorch  # noqa: PLC0415, imports torch
        import torch  # noqa: PLC0415

    inputs = torch.tensor(features.of(X))
    likelihood = gpytorch.likelihoods.GaussianLikelihood().double()
    likelihood.noise_covar.register_constraint("raw_noise", gpytorch.constraints.Positive())
    likelihood.noise = torch.tensor(given.noise, dtype=torch.float64)

    class Reference(gpytorch.models.ExactGP):
        def __init__(self) -> None:
            super().__init__(inputs, torch.tensor(y), likelihood)
            self.mean_module = gpytorch.means.ConstantMean()
            p = inputs.shape[1]
            kernel = (
                gpytorch.kernels.RBFKernel(ard_num_dims=p)
                if shape == "squared exponential"
                else gpytorch.kernels.MaternKernel(2.5, ard_num_dims=p)
            )
            self.covar_module = gpytorch.kernels.ScaleKernel(kernel)

        def forward(self, x: Any) -> Any:
            return gpytorch.distributions.MultivariateNormal(
                self.mean_module(x), self.covar_module(x)
            )

    model = Reference().double()
    model.mean_module.constant.data.fill_(given.mean)
    model.covar_module.outputscale = torch.tensor(given.variance, dtype=torch.float64)
    model.covar_module.base_kernel.lengthscale = torch.tensor(given.lengthscales[features.owner])
    return model, likelihood, torch, gpytorch


@pytest.mark.parametrize("shape", SHAPES)
def test_the_posterior_and_the_likelihood_are_gpytorchs(shape: str) -> None:
    X, y = _data()
    given = _given(shape)
    model, likelihood, torch, gpytorch = _gpytorch(shape, given, MIXED, X, y)
    asked = _data(9)[0] * [0.9, 1, 0.8]
    process = GaussianProcess(MIXED, given, X, y[:, None], np.zeros(len(X)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.train()
        mll = gpytorch.mlls.ExactMarginalLogLikelihood(likelihood, model)
        expected = float(mll(model(torch.tensor(MIXED.of(X))), torch.tensor(y))) * len(X)
        model.eval()
        with torch.no_grad():
            posterior = model(torch.tensor(MIXED.of(asked)))
            mean, covariance = posterior.mean.numpy(), posterior.covariance_matrix.numpy()
    known = process.predict(asked)
    assert known.mean[:, 0] == pytest.approx(mean, abs=1e-8)
    assert known.deviation**2 == pytest.approx(np.diag(covariance), abs=1e-8)
    assert process.covariance(asked, asked) == pytest.approx(covariance, abs=1e-8)
    density = Density(MIXED, shape, X, y, np.zeros(len(X)))
    likelihood_value = density._likelihood(density.vector(given))[0]
    assert likelihood_value == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_gradient_of_the_posterior_density_is_that_of_its_differences(shape: Any) -> None:
    X, y = _data()
    density = Density(MIXED, shape, X, y, np.full(len(X), 0.01))
    theta = density.vector(_given(shape)) + 0.1
    differences = [
        (density(theta + 1e-5 * e)[0] - density(theta - 1e-5 * e)[0]) / 2e-5
        for e in np.eye(len(theta))
    ]
    assert density(theta)[1] == pytest.approx(differences, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_way_back_from_predictions_is_that_of_their_differences(shape: Any) -> None:
    X, y = _data()
    rng = np.random.default_rng(2)
    process = GaussianProcess(MIXED, _given(shape), X, y[:, None], np.zeros(len(X)))
    process = process.fantasised(_data(3)[0] * [0.7, 1, 0.5], rng.standard_normal((3, 4)))
    asked = _data(5)[0] * [0.6, 1, 0.9]
    a, b = rng.standard_normal((5, 4)), rng.standard_normal(5)

    def total(points: np.ndarray) -> np.ndarray:
        known = process.predict(points)
        return (a * known.mean).sum(1) + b * known.deviation

    gradient = process.predict(asked).pull_back(a, b)
    for column in (0, 2):
        step = 1e-6 * np.eye(3)[column]
        differences = (total(asked + step) - total(asked - step)) / 2e-6
        assert gradient[:, column] == pytest.approx(differences, rel=1e-4, abs=1e-5)
    assert (gradient[:, 1] == 0).all()  # a category has no slope


def test_fantasies_have_the_posterior_as_their_law() -> None:
    X, y = _data()
    process = GaussianProcess(MIXED, _given(SHAPES[0]), X, y[:, None], np.zeros(len(X)))
    waiting = _data(4)[0] * [0.5, 1, 0.5]
    normals = np.random.default_rng(0).standard_normal((4, 4000))
    drawn = process.fantasised(waiting, normals)._Y[-4:]  # (4, 4000)
    assert drawn.mean(1) == pytest.approx(process.predict(waiting).mean[:, 0], abs=0.05)
    assert np.cov(drawn) == pytest.approx(process.covariance(waiting, waiting), abs=0.05)


def test_a_fit_finds_which_parameters_matter_and_that_there_is_no_noise() -> None:
    rng = np.random.default_rng(3)
    X = rng.random((40, 3))
    y = np.sin(6 * X[:, 0])
    y = (y - y.mean()) / y.std()
    features = features_of([None, None, None])
    noisy = y + 0.3 * rng.standard_normal(40)
    quiet = fit(features, "squared exponential", X, y, np.zeros(40)).given
    assert quiet.lengthscales[0] * 10 < quiet.lengthscales[1:].min()
    assert quiet.noise < 1e-5
    assert fit(features, "squared exponential", X, noisy, np.zeros(40)).given.noise > 0.01


def test_noise_that_is_known_is_not_learnt_again() -> None:
    X, y = _data()
    exact = GaussianProcess(MIXED, _given(SHAPES[0], 1e-6), X, y[:, None], np.zeros(len(X)))
    doubted = np.zeros(len(X))
    doubted[0] = 100.0
    told = GaussianProcess(MIXED, _given(SHAPES[0], 1e-6), X, y[:, None], doubted)
    assert exact.predict(X[:1]).deviation[0] < 0.01
    assert told.predict(X[:1]).deviation[0] > 0.05


def test_a_matrix_that_is_not_positive_definite_is_refused() -> None:
    with pytest.raises(SuggestionError, match="positive definite"):
        cholesky(-np.eye(3))
