"""The model's suggestion; imports torch and BoTorch, which takes seconds."""

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from botorch.exceptions.errors import BotorchError, ModelFittingError

from sigopt_orchestrate.errors import SuggestionError
from sigopt_orchestrate.optimizer.acquisition import build
from sigopt_orchestrate.optimizer.model import fit
from sigopt_orchestrate.optimizer.outcomes import standardise
from sigopt_orchestrate.optimizer.points import Observed
from sigopt_orchestrate.optimizer.search import Search, rank
from sigopt_orchestrate.optimizer.space import Space
from sigopt_orchestrate.spec import Assignments, Experiment

_log = logging.getLogger(__name__)
_NUMERICAL = (BotorchError, ModelFittingError, RuntimeError, ValueError, ArithmeticError)
_INCUMBENTS = 3


def propose(
    experiment: Experiment, history: Sequence[Observed], pending: Sequence[Assignments]
) -> Assignments | None:
    """Returns the assignments that promise most, none of them in `history` or `pending`.

    Args:
        experiment: Its parameters, objectives and seed count.
        history: At least one observation with values, all of them finite.
        pending: The assignments of the trials without an observation.

    Returns:
        None if every point that was looked at has been tried: the space is (nearly) exhausted.

    Raises:
        SuggestionError: If the numerics fail.
    """
    space = Space(experiment.parameters)
    # Sorted, so that the order in which trials end cannot show in the last bits of a sum.
    observed = sorted(
        ((space.encode(o.assignments), o.values) for o in history),
        key=lambda row: (row[0], row[1] or ()),
    )
    waiting = sorted(map(space.encode, pending))
    outcomes = [
        standardise([None if values is None else values[j] for _, values in observed], metric.sign)
        for j, metric in enumerate(experiment.objectives)
    ]
    X = torch.tensor([point for point, _ in observed], dtype=torch.float64)  # (n, d)
    Y = torch.tensor(outcomes, dtype=torch.float64).T  # (n, m)
    X_pending = torch.tensor(waiting, dtype=torch.float64).reshape(-1, space.dimension)  # (p, d)
    seed = experiment.optimizer.seed + len(observed) + len(waiting)
    with _repeatable(seed), _logged_warnings():
        try:
            model = fit(X, Y, space.categorical)
            with torch.no_grad():
                means = model.posterior(X).mean  # (n, m)
            incumbents = [observed[i][0] for i in rank(means)[:_INCUMBENTS]]
            search = Search(build(model, X, Y, X_pending, seed), space, torch.cat([X, X_pending]))
            best = search.run(incumbents, seed)
        except _NUMERICAL as error:
            reason = str(error).partition("\n")[0]
            raise SuggestionError(f"the model failed: {type(error).__name__}: {reason}") from error
    return None if best is None else space.decode(best)


@contextmanager
def _repeatable(seed: int) -> Iterator[None]:
    """One thread and a seeded generator of torch, both given back as they were."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            yield
    finally:
        torch.set_num_threads(threads)


@contextmanager
def _logged_warnings() -> Iterator[None]:
    """Warnings of the numerics go to the log, each once, whatever the process makes of others."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    for text in sorted({f"{w.category.__name__}: {w.message}".partition("\n")[0] for w in caught}):
        _log.info("%s", text)
