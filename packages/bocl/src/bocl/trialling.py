"""Trying growths for one task: in a width-nested network that all share, or trained one by one.

Fidelities, cheap to dear:

    shared  one network of the largest growth is trained once, in every step at full width and at
            one drawn width; a trial slices it, tunes the slice for some steps and validates
    short   a trial trains its growth for half an epoch, from where the final training starts
    full    a trial is the whole final training; the chosen one's weights are kept
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

import torch

from bocl import gates, seeds
from bocl.inheriting import inherited
from bocl.parameters import Parameters
from bocl.search.trials import Trial
from bocl.training import Schedule, accuracy, cross_entropy, smoothed_accuracy, train

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from torch import Tensor

    from bocl.blocks import Block
    from bocl.cache import Batch, FeatureCache
    from bocl.candidate import Candidate
    from bocl.growth import Growth
    from bocl.journal import Journal
    from bocl.search.trials import Problem, Recommendation, Searcher
    from bocl.settings import Settings

SHARED, LEAST_SHARED = 0.2, 100  # of the final training's steps: for the nested network
TUNED, LEAST_TUNED = 0.03, 20  # for a slice before it is validated


class Trialling:
    """Measures growths of one candidate.

    Args:
        ancestors: earlier blocks, of which new units start as copies; none for fresh units.
        inputs: input units that the candidate's level 1 reads, None for all.
        key: seeds and names this task's work.
    """

    def __init__(
        self,
        candidate: Candidate,
        data: FeatureCache,
        validation: FeatureCache,
        *,
        ancestors: Sequence[Block],
        inputs: Tensor | None,
        settings: Settings,
        journal: Journal,
        key: tuple[object, ...],
    ) -> None:
        self._ancestors, self._inputs = ancestors, inputs
        self.candidate = candidate
        self.data = data
        self.validation = validation
        self._settings = settings
        self._journal = journal
        self._key = key
        self._shared: dict[str, Tensor] | None = None

    @property
    def final_schedule(self) -> Schedule:
        """How a chosen growth is trained."""
        chosen = self._settings
        return Schedule(
            chosen.epochs, chosen.batch, chosen.rate, chosen.annealed, chosen.shuffled, chosen.decay
        )

    @property
    def _final_steps(self) -> int:
        return self._settings.epochs * math.ceil(len(self.data) / self._settings.batch)

    def loss(self, growth: Growth) -> Callable[[Mapping[str, Tensor], Batch, object], Tensor]:
        """Returns the loss of a growth's own weights: cross-entropy and the mean unit gate."""
        candidate, sparsity = self.candidate, self._settings.sparsity

        def loss_of(weights: Mapping[str, Tensor], batch: Batch, _: object) -> Tensor:
            loss = cross_entropy(candidate.logits(weights, growth, batch), batch.targets)
            if sparsity:
                for level in range(1, len(candidate.old_units) + 1):
                    gate = gates.mean_unit_gate(weights, level)
                    if gate is not None:
                        loss = loss + sparsity * gate
            return loss

        return loss_of

    def start(self, growth: Growth) -> dict[str, Tensor]:
        """Returns weights from which a growth's final training starts."""
        weights = self._initial() if self._shared is None else self._shared
        return self.candidate.slice(weights, growth)

    def _initial(self) -> dict[str, Tensor]:
        """Returns the largest growth's weights before any training."""
        fresh = self.candidate.initial(seeds.generator(*self._key, "initial"))
        if not self._ancestors:
            return fresh
        return inherited(self.candidate, fresh, self._ancestors, self._inputs)

    def train_shared(self, choices: Sequence[Growth]) -> None:
        """Trains the nested network: the largest growth and a drawn one in every step."""
        candidate = self.candidate
        parameters = Parameters(self._initial())

        def loss_of(
            weights: Mapping[str, Tensor], batch: Batch, generator: torch.Generator
        ) -> Tensor:
            place = int(torch.randint(len(choices), (), generator=generator))
            total = torch.zeros(())
            for growth in (candidate.largest, choices[place]):
                part = candidate.slice(weights, growth)
                total = total + cross_entropy(candidate.logits(part, growth, batch), batch.targets)
            return total

        steps = min(self._final_steps, max(LEAST_SHARED, round(SHARED * self._final_steps)))
        schedule = Schedule(
            epochs=10_000, batch=self._settings.batch, rate=self._settings.rate, annealed=True
        )
        key = (*self._key, "shared")
        train(parameters, self.data, loss_of, schedule, key, keeper=self._journal, most_steps=steps)
        self._shared = parameters.copies()

    def measure(self, growth: Growth, place: int) -> float:
        """Returns the validation accuracy of a growth at the chosen fidelity.

        Of a cheap trial it is smoothed: what few samples say of few steps is mostly chance.

        Args:
            growth: a feasible one.
            place: of the trial in the search; seeds its draws and names its work.
        """
        fidelity = self._settings.fidelity
        parameters = Parameters(self.start(growth))
        steps: int | None = None
        schedule = self.final_schedule
        key = (*self._key, "trial", place)
        if fidelity == "shared":
            steps = max(LEAST_TUNED, round(TUNED * self._final_steps))
            schedule = Schedule(10_000, self._settings.batch, self._settings.rate / 2)
        elif fidelity == "short":
            schedule = Schedule(1, self._settings.batch, self._settings.rate, annealed=True)
            steps = max(1, math.ceil(len(self.data) / self._settings.batch) // 2)
        elif self.candidate.reads(growth):
            self.data.hold()  # every epoch reads them
        keeper = self._journal if fidelity == "full" else None
        loss = self.loss(growth)
        train(parameters, self.data, loss, schedule, key, keeper=keeper, most_steps=steps)
        judge = accuracy if fidelity == "full" else smoothed_accuracy
        return self.validated(parameters.leaves, growth, judge)

    def validated(
        self,
        weights: Mapping[str, Tensor],
        growth: Growth,
        judge: Callable[[Callable[[Batch], Tensor], FeatureCache], float] = accuracy,
    ) -> float:
        """Returns the validation accuracy of weights, or what another judge makes of them."""
        return judge(lambda batch: self.candidate.logits(weights, growth, batch), self.validation)


def search_growth(
    trialling: Trialling,
    searcher: Searcher,
    problem: Problem,
    journal: Journal,
    *,
    parallel: int,
    report: Callable[[Trial], None],
) -> tuple[Recommendation, list[Trial], float]:
    """Returns the recommendation, all trials, and the CPU seconds that the search's model took.

    A search taken up again proposes anew what it had proposed, batch by batch, and takes the trials
    told from the journal: so it goes on in the middle of a batch as if it had never stopped.
    """
    told = journal.trials()
    trials: list[Trial] = []
    thinking = 0.0
    while True:
        began = time.process_time()
        proposals = searcher.propose(problem, trials, parallel)
        thinking += time.process_time() - began
        if not proposals:
            break
        for growth in proposals:
            place = len(trials)
            if place < len(told):
                trials.append(told[place])
                continue
            trial = Trial(growth, trialling.measure(growth, place), problem.cost(growth))
            journal.tell(trial)
            trials.append(trial)
            report(trial)
    began = time.process_time()
    recommendation = searcher.recommend(problem, trials)
    return recommendation, trials, thinking + time.process_time() - began
