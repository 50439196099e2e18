"""Bayesian optimisation of growth: noisy expected improvement with the known cost inside.

    maximise  sigmoid(f(a)) - alpha C(a)        f ~ GP, C exact

The acquisition is evaluated on the whole lattice; the recommendation is the best posterior mean,
not the best draw, since one trial's noise is worth dozens of units. No growth is always tried
first.
"""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING

import torch
from botorch.acquisition.logei import qLogNoisyExpectedImprovement
from botorch.acquisition.objective import GenericMCObjective
from botorch.exceptions.warnings import BotorchWarning
from botorch.optim.optimize import optimize_acqf_discrete
from botorch.sampling.normal import SobolQMCNormalSampler
from linear_operator.utils.warnings import NumericalWarning

from bocl import seeds
from bocl.growth import Growth
from bocl.search.surrogate import Surrogate, transferred
from bocl.search.trials import Recommendation

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

    from bocl.search.trials import Problem, Trial

MC_SAMPLES = 64
MOST_WITH_PRIOR = 5
FLATTERY = 2.0


class BayesianSearch:
    """The package's own searcher.

    Args:
        most_trials: never more than these.
        least_gain: stop when the expected improvement of J falls below it.
        kernel: of the surrogate, `rbf` or `matern`.
    """

    name = "bayesian"
    only: Growth | None = None

    def __init__(
        self, most_trials: int = 10, least_gain: float = 3e-5, kernel: str = "rbf"
    ) -> None:
        self.most_trials = most_trials
        self.least_gain = least_gain
        self.kernel = kernel

    def propose(self, problem: Problem, trials: Sequence[Trial], count: int) -> list[Growth]:
        """Returns the growths of highest acquisition, chosen one after another as a batch."""
        seen = {trial.growth for trial in trials}
        prior = transferred(problem, trials)
        # a prior from earlier tasks stands for the trials it was learned from
        most = min(self.most_trials, MOST_WITH_PRIOR) if prior else self.most_trials
        left = min(most - len(trials), count)
        fresh = [growth for growth in problem.space.choices if growth not in seen]
        if left <= 0 or not fresh:
            return []
        start = [growth for growth in self._start(problem, trials, prior) if growth not in seen]
        if start:
            return start[:left]
        surrogate = Surrogate(problem, trials, self.kernel)
        chosen, gain = self._acquire(problem, surrogate, trials, fresh, left)
        return [] if gain < self.least_gain else chosen

    def recommend(self, problem: Problem, trials: Sequence[Trial]) -> Recommendation:
        """Returns the best posterior mean of J over the growths tried or proposed by the model.

        Of hasty trials no growth must be ahead by `FLATTERY` standard errors of its accuracy, as a
        count of validation samples would have them: the model's own doubt is too small for that.
        """
        choices = list(problem.space.choices)
        mean, deviation = Surrogate(problem, trials, self.kernel).accuracy(choices)
        costs = torch.tensor([problem.cost(growth) for growth in choices], dtype=torch.float64)
        values = mean - problem.alpha * costs
        if problem.hasty:
            error = (mean * (1 - mean) / problem.validation).sqrt()
            values -= FLATTERY * error * torch.tensor([growth.none for growth in choices])
        best = int(values.argmax())
        return Recommendation(
            choices[best],
            dict(zip(choices, mean.tolist(), strict=True)),
            dict(zip(choices, deviation.tolist(), strict=True)),
        )

    @staticmethod
    def _start(
        problem: Problem, trials: Sequence[Trial], prior: Mapping[Growth, float]
    ) -> list[Growth]:
        """No growth; then the prior's favourite, or the corners of the space and its middle.

        A corner has its top levels, one, two, ... of them, at their widest and no unit below: from
        these the surrogate's plane learns what width of each level is worth. Where a limit of size
        cuts corners off, the dearest growths that it leaves stand for them.
        """
        choices = problem.space.choices
        if problem.landscapes and not trials:
            return [choices[0]]
        if prior:
            values = {
                growth: 1 / (1 + math.exp(-expected)) - problem.alpha * problem.cost(growth)
                for growth, expected in prior.items()
            }
            return [max(values, key=lambda growth: values[growth])] if len(trials) == 1 else []
        levels = len(problem.space.largest)
        corners = [
            Growth((0,) * (levels - top) + problem.space.largest[levels - top :])
            for top in range(levels + 1)
        ]
        middle = sorted(choices, key=problem.cost)[len(choices) // 2]
        dearest, alone = (
            max(choices, key=lambda growth: (growth.reuse is reuse, problem.cost(growth)))
            for reuse in (True, False)
        )
        picks = [*corners, dearest, middle, alone]
        offered = set(choices)
        return [growth for growth in dict.fromkeys(picks) if growth in offered]

    def _acquire(
        self,
        problem: Problem,
        surrogate: Surrogate,
        trials: Sequence[Trial],
        fresh: Sequence[Growth],
        count: int,
    ) -> tuple[list[Growth], float]:
        known = [*fresh, *(trial.growth for trial in trials)]
        codes = problem.space.encode(known)
        priors = surrogate.prior(known)
        costs = torch.tensor([problem.cost(growth) for growth in known], dtype=torch.float64)

        def objective(samples: Tensor, X: Tensor | None = None) -> Tensor:
            assert X is not None  # noqa: S101  BoTorch passes the points to objectives that take them
            place = torch.cdist(X.reshape(-1, X.shape[-1]), codes).argmin(-1).view(X.shape[:-1])
            return torch.sigmoid(samples[..., 0] + priors[place]) - problem.alpha * costs[place]

        with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
            warnings.simplefilter("ignore", BotorchWarning)
            warnings.simplefilter("ignore", NumericalWarning)
            seed = seeds.derive(problem.seed, len(trials)) % 2**31
            torch.manual_seed(seed)
            acquisition = qLogNoisyExpectedImprovement(
                surrogate.model,
                X_baseline=surrogate.inputs,
                sampler=SobolQMCNormalSampler(torch.Size([MC_SAMPLES]), seed=seed),
                objective=GenericMCObjective(objective),
                prune_baseline=False,
            )
            points, values = optimize_acqf_discrete(
                acquisition, q=count, choices=codes[: len(fresh)], unique=True
            )
        places = torch.cdist(points, codes[: len(fresh)]).argmin(-1).tolist()
        return [fresh[place] for place in places], math.exp(float(values.max()))
