"""The model's suggestion; imports numpy and scipy, which takes a while."""

import logging
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sigopt_orchestrate.errors import SuggestionError
from sigopt_orchestrate.optimizer.acquisition import Acquisition, incumbents
from sigopt_orchestrate.optimizer.beliefs import prior_beliefs
from sigopt_orchestrate.optimizer.correlation import Array, Features, features_of
from sigopt_orchestrate.optimizer.evolution import evolved_share, offspring, rank
from sigopt_orchestrate.optimizer.gaussian_process import GaussianProcess
from sigopt_orchestrate.optimizer.lattice import Lattice
from sigopt_orchestrate.optimizer.outcomes import margins
from sigopt_orchestrate.optimizer.points import Observed
from sigopt_orchestrate.optimizer.search import Search
from sigopt_orchestrate.optimizer.solutions import apart_from, elsewhere, solutions
from sigopt_orchestrate.optimizer.space import Space
from sigopt_orchestrate.optimizer.subset import most_telling
from sigopt_orchestrate.optimizer.surrogate import Surrogate, of_margin, of_objective, of_success
from sigopt_orchestrate.optimizer.telling_task import choose_task, levelled
from sigopt_orchestrate.spec import Assignments, Experiment

_NUMERICAL = (SuggestionError, ValueError, ArithmeticError, np.linalg.LinAlgError)
_FANTASIES = 8
_FANTASIES_OF_PAIRS = 4
# Of a pending trial's spread. At the full one, what pends promises so much that nothing but the
# unknown looks worth a trial: eight at a time spread out where one at a time would close in.
_HOPE = 0.5
_INCUMBENTS = 3
_NOISY = 0.01  # of the variance; with less, fantasies of the best points tell nothing new
_DOUBTED = 10  # of the best points
_log = logging.getLogger(__name__)


def propose(
    experiment: Experiment, history: Sequence[Observed], pending: Sequence[Assignments]
) -> Assignments | None:
    """Returns the assignments that promise most, none of them in `history` or `pending`.

    Args:
        experiment: Its space, its metrics and its seed count.
        history: At least one observation with values, all of them finite.
        pending: The assignments of the trials without an observation.

    Returns:
        None if every point that was looked at has been tried: the space is (nearly) exhausted.

    Raises:
        SuggestionError: If the numerics fail.
    """
    try:
        with np.errstate(all="ignore"):
            return _Proposal(experiment, history, pending).best()
    except _NUMERICAL as error:
        raise SuggestionError(f"the model failed: {type(error).__name__}: {error}") from error


class _Proposal:
    """One suggestion in the making."""

    def __init__(
        self, experiment: Experiment, history: Sequence[Observed], pending: Sequence[Assignments]
    ) -> None:
        self._experiment = experiment
        self._space = Space(experiment)
        self._lattice = Lattice(self._space)
        # Sorted, so that the order in which trials end cannot show in the last bits of a sum.
        observed = sorted(
            (self._space.encode(o.assignments), o.values or (), o.deviations or ()) for o in history
        )
        waiting = sorted(map(self._space.encode, pending))
        self._X_all = np.array([point for point, _, _ in observed])
        self._pending = np.array(waiting).reshape(-1, self._space.dimension)
        self._rng = np.random.default_rng([experiment.optimizer.seed, len(observed), len(waiting)])
        self._failed = np.array([not values for _, values, _ in observed])
        width = len(experiment.steering)
        self._V = np.array([v for _, v, _ in observed if v]).reshape(-1, width)
        blank = (0.0,) * width
        self._S = np.array([s or blank for _, v, s in observed if v]).reshape(-1, width)
        self._X = self._X_all[~self._failed]
        self._features: Features = features_of(
            [
                a.levels if i in self._space.categorical else None
                for i, a in enumerate(self._space.axes)
            ]
        )

    def best(self) -> Assignments | None:
        """Returns the assignments to suggest."""
        count = len(self._experiment.objectives)
        signs = [metric.sign for metric in self._experiment.objectives]
        feasible = self._feasible()
        if self._space.full_task is not None:
            self._V = levelled(self._V, self._X, self._features, self._space.full_task)
        child = self._evolved(self._V[:, :count] * signs, feasible)
        if child is not None:
            return self._space.decode(child.tolist())
        chosen = most_telling(self._X, self._V[:, :count] * signs, feasible)
        X, V, S, feasible = self._X[chosen], self._V[chosen], self._S[chosen], feasible[chosen]
        surrogates = [
            of_objective(self._features, X, V[:, j], sign, S[:, j] if S[:, j].any() else None)
            for j, sign in enumerate(signs)
        ]
        conditions = self._conditions(X, V)
        starts = self._starts(X, surrogates, feasible)
        acquisition = self._acquisition(X, surrogates, feasible, conditions)
        point = self._search(acquisition, starts)
        if point is None:
            return None
        assignments = self._space.decode(point.tolist())
        if self._experiment.tasks:
            process = surrogates[0].process
            return choose_task(self._experiment, process, point, assignments, self._spent())
        return assignments

    def _evolved(self, Y: Array, feasible: NDArray[np.bool_]) -> Array | None:
        """An offspring of the best points, in a share of the turns that grows with the history.

        None in the others, and where what is wanted is more than one good point.
        """
        share = evolved_share(len(self._X_all))
        if not share or self._experiment.tasks or self._experiment.num_solutions > 1:
            return None
        if self._rng.random() >= share:
            return None
        ranked = self._X[rank(Y, feasible)]
        return offspring(self._lattice, ranked, self._X_all, self._pending, self._rng)

    def _search(self, acquisition: Acquisition, starts: Sequence[Array]) -> Array | None:
        n = sum(len(p.points) for p in (*acquisition.objectives, *acquisition.conditions))
        cost = 2.0 * n * n + 60.0 * n
        search = Search(acquisition, self._lattice, self._X_all, self._pending, cost)
        return search.run(starts, self._rng)

    def _feasible(self) -> NDArray[np.bool_]:
        """Which trials met all constraints and were of the full task."""
        feasible = np.ones(len(self._X), dtype=bool)
        first = len(self._experiment.objectives)
        for j, metric in enumerate(self._experiment.constraints, start=first):
            feasible &= np.array([metric.reached(v) for v in self._V[:, j].tolist()], dtype=bool)
        if self._space.full_task is not None:
            feasible &= self._X[:, -1] == self._space.full_task
        return feasible

    def _acquisition(
        self,
        X: Array,
        surrogates: Sequence[Surrogate],
        feasible: NDArray[np.bool_],
        conditions: Sequence[GaussianProcess],
    ) -> Acquisition:
        experiment = self._experiment
        beliefs = prior_beliefs(experiment, len(self._X_all))
        if experiment.num_solutions > 1 and feasible.any():
            turn = (len(self._X_all) + len(self._pending)) % experiment.num_solutions
            found = solutions(X, surrogates[0].outcomes.values, feasible, turn)
            feasible = feasible & elsewhere(X, found)
            beliefs += [apart_from(point) for point in found]
        if not feasible.any():
            if conditions:
                return Acquisition((), np.empty(0), conditions=conditions, beliefs=beliefs)
            feasible = np.ones_like(feasible)
        columns = _FANTASIES if len(surrogates) == 1 else _FANTASIES_OF_PAIRS
        points = np.concatenate((self._pending, X[self._doubted(X, surrogates, feasible)]))
        spread = np.ones((len(points), 1))
        spread[: len(self._pending)] = _HOPE
        processes = [
            s.process.fantasised(points, spread * _normals(self._rng, len(points), columns))
            for s in surrogates
        ]
        counts = np.concatenate((feasible, np.ones(len(processes[0].points) - len(X), dtype=bool)))
        best = incumbents(processes, counts)
        if len(processes) == 1:
            return Acquisition(processes, best, conditions=conditions, beliefs=beliefs)
        reference = self._reference(surrogates)
        fronts = [f[(f > reference).all(1)] for f in best]
        return Acquisition(processes, fronts, reference, conditions, beliefs)

    @staticmethod
    def _doubted(
        X: Array, surrogates: Sequence[Surrogate], feasible: NDArray[np.bool_]
    ) -> list[int]:
        """The rows of the best points whose values are to be fantasised, too: where there is noise.

        Else the best point, whose value is uncertain itself, would promise to beat itself and be
        run again and again (Letham et al., 2019).
        """
        if all(s.process.hyperparameters.noise <= _NOISY for s in surrogates):
            return []
        rows = np.flatnonzero(feasible)
        means = [s.process.predict(X[rows]).mean[:, 0] for s in surrogates]
        best = [rows[np.argsort(-m, kind="stable")[: _DOUBTED // len(means)]] for m in means]
        return sorted({int(row) for chosen in best for row in chosen})

    def _conditions(self, X: Array, V: Array) -> list[GaussianProcess]:
        """What must be above 0: each constraint, and whether a trial succeeds at all."""
        first = len(self._experiment.objectives)
        processes = [
            of_margin(self._features, X, margins(V[:, j], metric.sign, metric.threshold or 0.0))
            for j, metric in enumerate(self._experiment.constraints, start=first)
        ]
        if self._failed.any():
            chosen = most_telling(self._X_all, np.zeros((len(self._failed), 1)), ~self._failed)
            processes.append(of_success(self._features, self._X_all[chosen], self._failed[chosen]))
        p = len(self._pending)
        return [process.fantasised(self._pending, np.zeros((p, 1))) for process in processes]

    def _reference(self, surrogates: Sequence[Surrogate]) -> Array:
        """What both objectives must beat: the thresholds, else a little below the worst seen.

        Not below the front's worst, as is customary: while the front is short, the ends of the
        true one would count for nothing, and never be found.
        """
        reference = []
        for metric, surrogate in zip(self._experiment.objectives, surrogates, strict=True):
            values = surrogate.outcomes.values
            worst = float(values.min())
            lowest = worst - 0.1 * (float(values.max()) - worst)
            if metric.threshold is not None:
                lowest = surrogate.outcomes.of(metric.threshold)
            reference.append(lowest)
        return np.array(reference)

    def _starts(
        self, X: Array, surrogates: Sequence[Surrogate], feasible: NDArray[np.bool_]
    ) -> list[Array]:
        """The points to look around: those that the model believes to be the best."""
        counts = feasible if feasible.any() else np.ones_like(feasible)
        X = X[counts]
        means = np.stack([s.process.predict(X).mean[:, 0] for s in surrogates], axis=1)
        if means.shape[1] == 1:
            order = np.argsort(-means[:, 0], kind="stable")
        else:
            beaten = (means[None] > means[:, None]).all(2).sum(1)
            order = np.lexsort((-means.sum(1), beaten))
        starts = X[order[:_INCUMBENTS]]
        if self._space.full_task is not None:
            starts = starts.copy()
            starts[:, -1] = self._space.full_task
        return list(starts)

    def _spent(self) -> dict[str, int]:
        """How many trials each task has had, pending ones included."""
        axis = self._space.axes[-1]
        tasks = [*self._X_all[:, -1].tolist(), *self._pending[:, -1].tolist()]
        names = [str(axis.decode(coordinate)) for coordinate in tasks]
        return {task.name: names.count(task.name) for task in self._experiment.tasks}


def _normals(rng: np.random.Generator, rows: int, columns: int) -> Array:
    """Standard normal numbers, `(rows, columns)`, that come in pairs of opposite sign."""
    half = rng.standard_normal((rows, columns // 2))
    return np.concatenate((half, -half), axis=1)
