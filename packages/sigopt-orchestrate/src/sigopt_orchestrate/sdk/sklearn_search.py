"""A search over a scikit-learn estimator's parameters, in the manner of `GridSearchCV`."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.model_selection._search import BaseSearchCV
from sklearn.utils.validation import check_random_state

from sigopt_orchestrate.optimizer import Observed
from sigopt_orchestrate.optimizer.suggest import suggest
from sigopt_orchestrate.sdk.space import Choice, Range, parameter_keys
from sigopt_orchestrate.spec import Experiment


class OrchestrateSearchCV(BaseSearchCV):  # type: ignore[misc]
    """Searches parameters by cross-validation, each batch where the last ones point to.

    It has the attributes of scikit-learn's searches: `best_params_`, `best_estimator_`,
    `cv_results_`, and the estimator's own methods once fitted. The search itself runs in this
    process and keeps nothing on disk; for trials that outlive it, use `Experiment`.

    Args:
        estimator: To be tuned.
        param_space: By parameter: `double(1e-3, 1e3, log=True)`, `integer(1, 9)`, or a list of any
            values without an order. A list of one value is a constant.
        n_iter: How many candidates in all.
        batch_size: How many at a time; with `n_jobs`, they and their folds run in parallel.
        algorithm: `bayesian` or `random`.
        scoring: As for `GridSearchCV`; of several, `refit` names the one that steers.
        n_jobs: As for `GridSearchCV`, and so all that follows.
        random_state: The same seed gives the same candidates.
    """

    def __init__(
        self,
        estimator: Any,
        param_space: Mapping[str, Range | Sequence[Any]],
        *,
        n_iter: int = 20,
        batch_size: int = 1,
        algorithm: str = "bayesian",
        scoring: Any = None,
        n_jobs: int | None = None,
        refit: bool | str = True,
        cv: Any = None,
        verbose: int = 0,
        pre_dispatch: int | str = "2*n_jobs",
        random_state: Any = None,
        error_score: float | str = np.nan,
        return_train_score: bool = False,
    ) -> None:
        super().__init__(
            estimator=estimator,
            scoring=scoring,
            n_jobs=n_jobs,
            refit=refit,
            cv=cv,
            verbose=verbose,
            pre_dispatch=pre_dispatch,
            error_score=error_score,
            return_train_score=return_train_score,
        )
        self.param_space = param_space
        self.n_iter = n_iter
        self.batch_size = batch_size
        self.algorithm = algorithm
        self.random_state = random_state

    def _run_search(self, evaluate_candidates: Callable[[list[dict[str, Any]]], Any]) -> None:
        """Evaluates `n_iter` candidates, batch by batch."""
        searched: dict[str, Range | Sequence[Any]] = {}
        constants: dict[str, Any] = {}
        for name, given in self.param_space.items():
            if isinstance(given, Range) or len(given) > 1:
                searched[name] = given
            else:
                constants[name] = given[0]
        if not searched:
            evaluate_candidates([constants])
            return
        spec = self._spec(searched)
        history: list[Observed] = []
        while len(history) < self.n_iter:
            batch: list[dict[str, Any]] = []
            for _ in range(min(self.batch_size, self.n_iter - len(history))):
                batch.append(suggest(spec, history, batch).assignments)
            results = evaluate_candidates(
                [constants | _values(searched, assignments) for assignments in batch]
            )
            scores = self._steering(results)[len(history) :]
            history += [
                Observed(assignments, (float(score),) if np.isfinite(score) else None)
                for assignments, score in zip(batch, scores, strict=True)
            ]

    def _steering(self, results: Mapping[str, Any]) -> Sequence[float]:
        """The scores that steer the search: the only ones, or those that `refit` names."""
        key = f"mean_test_{self.refit}" if isinstance(self.refit, str) else "mean_test_score"
        found = results.get("mean_test_score", results.get(key))
        if found is None:
            raise ValueError(f"refit: must name one of the scores, not {self.refit!r}")
        scores: Sequence[float] = found
        return scores

    def _spec(self, searched: Mapping[str, Range | Sequence[Any]]) -> Experiment:
        """The search in the optimiser's terms: names that it allows, lists by their indices."""
        space = {
            f"p{i}": given if isinstance(given, Range) else Choice(tuple(range(len(given))))
            for i, given in enumerate(searched.values())
        }
        seed = check_random_state(self.random_state).randint(2**31 - 1)
        return Experiment.model_validate(
            {
                "name": "search",
                "parameters": parameter_keys(space),
                "metrics": [{"name": "score"}],
                "budget": self.n_iter,
                "optimizer": {"algorithm": self.algorithm, "seed": int(seed)},
            }
        )


def _values(
    searched: Mapping[str, Range | Sequence[Any]], assignments: Mapping[str, Any]
) -> dict[str, Any]:
    """The optimiser's choice as the estimator takes it."""
    return {
        name: assignments[f"p{i}"] if isinstance(given, Range) else given[assignments[f"p{i}"]]
        for i, (name, given) in enumerate(searched.items())
    }
