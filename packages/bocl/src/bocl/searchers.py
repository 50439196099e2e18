"""The searcher that settings name."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bocl.search.trials import Searcher
    from bocl.settings import Settings


def make_searcher(settings: Settings) -> Searcher:
    """Returns a new searcher; BoTorch is imported only for the Bayesian one."""
    if settings.search == "bayesian":
        with warnings.catch_warnings():
            # linear_operator scripts functions, which torch deprecates
            warnings.simplefilter("ignore", DeprecationWarning)
            from bocl.search.bayesian import BayesianSearch  # noqa: PLC0415  seconds of imports

        kernel = "matern" if settings.cost == "units" else "rbf"
        return BayesianSearch(settings.trials, kernel=kernel)
    if settings.search == "reinforce":
        from bocl.search.controller import ReinforceSearch  # noqa: PLC0415

        return ReinforceSearch(settings.trials)
    from bocl.search.rivals import GridSearch, RandomSearch  # noqa: PLC0415

    return (
        RandomSearch(settings.trials)
        if settings.search == "random"
        else GridSearch(settings.trials)
    )
