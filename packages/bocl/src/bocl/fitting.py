"""Learning one task: view, search, final training, freezing. Nothing of earlier tasks is touched.

samples -> view -> cache of frozen features -> search -> training, pruning -> Block
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from bocl import seeds
from bocl.cache import Seen, kept_inputs
from bocl.finding_views import find_view
from bocl.freezing import freeze, silent_units, unread_units, zeroed
from bocl.offering import JUDGED, offered_units
from bocl.parameters import Parameters
from bocl.posing import pose_candidate, pose_problem
from bocl.records import TaskRecord
from bocl.search.trials import Recommendation
from bocl.training import train
from bocl.trialling import Trialling, search_growth
from bocl.views import View, class_statistics

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from torch import Tensor

    from bocl.blocks import Block
    from bocl.cache import FeatureCache
    from bocl.growth import Growth
    from bocl.intake import Intake
    from bocl.journal import Journal
    from bocl.network import Network
    from bocl.search.trials import Problem, Searcher, Trial
    from bocl.settings import Settings
    from bocl.streams.samples import Samples

PRUNED_AT = 0.6  # of the final training; the rest of it heals


@dataclass(frozen=True)
class Fitted:
    """A learned task.

    Attributes:
        statistics: `class_statistics` of the task as it sees its inputs, None without views.
    """

    block: Block
    record: TaskRecord
    statistics: Tensor | None


class TaskFitter:
    """Learns the next task of a network.

    Args:
        statistics: by earlier task, for finding views.
        landscapes: of earlier searches, oldest first: posterior mean accuracy by growth.
        searcher: chooses growth from the second task on; the first has the base widths.
    """

    def __init__(
        self,
        network: Network,
        settings: Settings,
        searcher: Searcher,
        *,
        statistics: Mapping[int, Tensor],
        landscapes: Sequence[Mapping[Growth, float]],
        report: Callable[[str], None],
    ) -> None:
        self._network = network
        self._settings = settings
        self._searcher = searcher
        self._statistics = statistics
        self._landscapes = landscapes
        self._report = report
        self._key = (settings.seed, f"task{len(network)}")

    def fit(self, name: str, data: Intake, journal: Journal) -> Fitted:
        """Returns the new block with its record; the network itself is not changed.

        Args:
            name: of the task.
            data: what it is learned from.
            journal: keeps unfinished work.
        """
        began = time.process_time()
        samples, classes = data.train, data.classes
        network, settings = self._network, self._settings
        statistics, view = None, View()
        if settings.views != "none":
            raw = class_statistics(samples, classes)
            view = find_view(
                network,
                samples,
                classes,
                statistics=raw,
                earlier=self._statistics,
                kind=settings.views,
            )
            plain = view.name == "identity"
            statistics = raw if plain else None  # a task in disguise adds nothing to compare with
        seen = self._seen(samples, view)
        trialling, whole = self._trialling(data, seen=seen, journal=journal)
        problem = pose_problem(
            trialling.candidate,
            settings,
            validation=len(data.validation),
            seed=seeds.derive(*self._key, "search"),
            landscapes=self._landscapes,
        )
        searching = time.process_time()
        recommendation, trials, thinking = self._search(trialling, problem, journal)
        searched = time.process_time()
        growth = recommendation.growth
        training = whole if data.refit else trialling.data
        weights, unread = self._train(trialling, training, growth, trials, journal)
        block = freeze(
            trialling.candidate,
            growth,
            weights,
            unread=unread,
            offered=seen.by_block(network),
            view=view,
            inputs=seen.inputs,
        )
        record = TaskRecord(
            name=name,
            classes=classes,
            fingerprint="",
            view=view.name,
            growth=growth,
            validation_accuracy=None if data.refit else trialling.validated(weights, growth),
            parameters=block.parameters,
            macs=0,
            trials=trials,
            landscape=recommendation.landscape,
            deviations=recommendation.deviations,
            costs={growth: problem.cost(growth) for growth in recommendation.landscape},
            attention=block.attention,
            search_seconds=searched - searching,
            model_seconds=thinking,
            training_seconds=time.process_time() - searched + searching - began,
        )
        return Fitted(block, record, statistics)

    def _seen(self, samples: Samples, view: View) -> Seen:
        """Returns what the task will see of inputs and earlier units."""
        network, settings = self._network, self._settings
        trunk, inputs, units = network.trunk, None, None
        if trunk.flat:
            # the first task's block serves all that come: it sees whatever ever changes
            share = settings.input_share if len(network) else 1.0
            inputs = kept_inputs(trunk.enter(view(samples.inputs)), share)
        if settings.bounded and len(network):
            judged = samples[torch.linspace(0, len(samples) - 1, min(JUDGED, len(samples))).long()]
            features = network.features(trunk.enter(view(judged.inputs)))
            widths = [network.widths(level) for level in range(1, len(trunk.levels) + 1)]
            units = offered_units(features, judged.targets, trunk.most_read, widths)
        return Seen(view, inputs, units)

    def _trialling(
        self, data: Intake, *, seen: Seen, journal: Journal
    ) -> tuple[Trialling, FeatureCache]:
        """Returns what tries growths, and the cache of all samples, validation last."""
        network, settings = self._network, self._settings
        candidate = pose_candidate(network, settings, data.classes, seen, self._searcher.only)
        samples = data.train.joined(data.validation)
        whole = seen.cache(network, samples, flips=settings.flips)
        if candidate.reads(candidate.largest):
            whole.hold()
        trialling = Trialling(
            candidate,
            whole.part(range(len(data.train))),
            whole.part(range(len(data.train), len(whole))),
            ancestors=network.blocks if settings.inherit else (),
            inputs=seen.inputs,
            settings=settings,
            journal=journal,
            key=self._key,
        )
        return trialling, whole

    def _search(
        self, trialling: Trialling, problem: Problem, journal: Journal
    ) -> tuple[Recommendation, list[Trial], float]:
        if len(self._network) == 0:
            return Recommendation(trialling.candidate.largest, {}), [], 0.0
        if self._searcher.only is not None:
            return self._searcher.recommend(problem, []), [], 0.0
        if self._settings.fidelity == "shared":
            self._report("shared network")
            trialling.train_shared(problem.space.choices)

        def told(trial: Trial) -> None:
            self._report(f"tried {trial.growth}: {100 * trial.accuracy:.2f} %")

        return search_growth(
            trialling,
            self._searcher,
            problem,
            journal,
            parallel=self._settings.parallel,
            report=told,
        )

    def _train(
        self,
        trialling: Trialling,
        data: FeatureCache,
        growth: Growth,
        trials: Sequence[Trial],
        journal: Journal,
    ) -> tuple[dict[str, Tensor], dict[int, Tensor]]:
        candidate, settings = trialling.candidate, self._settings
        if candidate.reads(growth):
            data.hold()
        parameters = Parameters(trialling.start(growth))
        unread: dict[int, Tensor] = {}
        key: tuple[object, ...] = (*self._key, "final")
        if settings.fidelity == "full":  # the trial was this very training
            same = [place for place, trial in enumerate(trials) if trial.growth == growth]
            if same:
                best = max(same, key=lambda place: trials[place].accuracy)
                key = (*self._key, "trial", best)
        pruning = settings.prune > 0 and settings.fidelity != "full"
        prune_epoch = max(1, math.floor(PRUNED_AT * settings.epochs))

        def epoch_end(epoch: int) -> Tensor | None:
            if epoch != prune_epoch or epoch == settings.epochs or not pruning:
                return None
            found = unread_units(candidate, growth, parameters.leaves, data, settings.prune)
            zeros = zeroed(candidate, growth, parameters.leaves, found)
            mask = parameters.mask(zeros)
            with torch.no_grad():
                parameters.vector.mul_(mask)
            return mask

        def told(epoch: int, loss: float) -> None:
            self._report(f"training {growth}: epoch {epoch}/{settings.epochs}, loss {loss:.4f}")

        train(
            parameters,
            data,
            trialling.loss(growth),
            trialling.final_schedule,
            key,
            keeper=journal,
            report=told,
            epoch_end=epoch_end,
        )
        weights = parameters.copies()
        if pruning:
            unread = {
                level: silent_units(candidate, growth, weights, level)
                for level in range(1, len(growth.widths) + 1)
            }
        return weights, {level: units for level, units in unread.items() if units.numel()}
