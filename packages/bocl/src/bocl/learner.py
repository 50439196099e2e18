"""The learner: fit a task, predict, evaluate, save, load."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch

from bocl import checkpoint, files, saving
from bocl.compacting import compact_network
from bocl.errors import CheckpointError, NotFittedError, UnknownTaskError
from bocl.evaluation import accuracy_matrix
from bocl.fitting import TaskFitter
from bocl.intake import take_in
from bocl.journal import Journal
from bocl.network import Network
from bocl.records import TaskRecord
from bocl.routing import Router, with_task
from bocl.search.pareto import pareto_front
from bocl.searchers import make_searcher
from bocl.settings import Settings, settings_of
from bocl.streams.samples import as_samples
from bocl.task_free import predict_pairs
from bocl.trunks.architectures import make_trunk

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from torch import Tensor

    from bocl.growth import Growth
    from bocl.search.trials import Searcher
    from bocl.streams.samples import Stream

WORK = "work"


class BOCL:
    """Learns tasks one after another, grows for each as much as pays, and forgets none.

    Args:
        folder: where every finished task and all unfinished work is kept; a learner already there
            goes on. None keeps all in memory.
        protocol: `best`, or `paper`, which is RCL's frame with the BOCL abstract's ideas.
        searcher: instead of the one that the setting `search` names.
        report: is told, in a line, what is going on.
        changes: fields of `Settings`.

    Raises:
        SettingsError: unknown protocol or setting, or a value out of range.
        CheckpointError: the folder holds another learner.

    Example:
        >>> learner = BOCL(trunk="mlp-small", epochs=2)
        >>> learner.fit_task((images, labels)).predict(images[:5], task=0)
    """

    def __init__(
        self,
        folder: str | Path | None = None,
        *,
        protocol: str = "best",
        searcher: Searcher | None = None,
        report: Callable[[str], None] | None = None,
        **changes: Any,
    ) -> None:
        self.settings: Settings = settings_of(protocol, **changes)
        self.searcher = searcher or make_searcher(self.settings)
        self.records: list[TaskRecord] = []
        self.network: Network | None = None
        self.router: Router | None = None
        self._statistics: dict[int, Tensor] = {}
        self._folder = None if folder is None else Path(folder)
        self._report = report or (lambda _: None)
        if self._folder is not None and (self._folder / checkpoint.INDEX).exists():
            self._restore(self._folder)

    @property
    def tasks(self) -> int:
        """How many tasks have been learned."""
        return len(self.records)

    def fit_task(self, train: Any, val: Any = None, name: str | None = None) -> Self:
        """Learns the next task.

        Args:
            train: a torch Dataset, a pair (inputs, labels) of arrays, or Samples; labels from 0.
            val: the same, for the search; a stratified share of `train` if not given.
            name: for reports.

        Returns:
            The learner itself.

        Raises:
            DataError: inputs of another shape than before, no sample, one class only, labels out
                of range, or too few for validation.
            TrainingDivergedError: the loss stopped being finite.
        """
        samples = as_samples(train)
        shape, base = tuple(samples.inputs.shape[1:]), self.settings.base
        network = self.network or Network(make_trunk(self.settings.trunk, shape, base))
        data = take_in(samples, val, network.trunk, self.settings)
        task, fingerprint = self.tasks, data.fingerprint
        identity = {"task": task, "data": fingerprint, "settings": self._plain_settings()}
        journal = Journal(self._folder and self._folder / WORK, identity)
        fitter = TaskFitter(
            network,
            self.settings,
            self.searcher,
            statistics=self._statistics,
            landscapes=[record.landscape for record in self.records],
            report=self._report,
        )
        fitted = fitter.fit(name or f"task {task}", data, journal)
        before = dict(vars(self))
        self.network = Network(network.trunk, [*network.blocks, fitted.block])
        fitted.record.fingerprint = fingerprint
        fitted.record.macs = self.network.macs(task)
        self.records = [*self.records, fitted.record]
        if fitted.statistics is not None:
            self._statistics = {**self._statistics, task: fitted.statistics}
        self.router = with_task(self.router, shape, self.settings, samples, data.classes)
        if self._folder is not None:
            try:
                self.save(self._folder)
            except BaseException:
                vars(self).update(before)  # a full disk: the task is not learned, its work is kept
                raise
            journal.finish()
        return self

    def logits(self, inputs: Any, task: int) -> Tensor:
        """Returns logits (batch, classes of the task).

        Raises:
            NotFittedError: no task has been learned.
            UnknownTaskError: the task is not one of those learned.
            DataError: inputs of another shape than the learner began with.
        """
        network = self.fitted_network()
        if not 0 <= task < self.tasks:
            raise UnknownTaskError(
                f"task {task} is unknown; tasks 0 to {self.tasks - 1} have been learned"
            )
        return network.logits(task, _inputs(inputs))

    def predict(self, inputs: Any, task: int | None = None) -> NDArray[np.int64]:
        """Returns labels (batch,) within the task; without a task, within the inferred one.

        Args:
            inputs: (batch, *input_shape).
            task: its number from 0, or None to infer it for every sample.
        """
        if task is not None:
            return self.logits(inputs, task).argmax(1).numpy()
        return self.predict_pairs(inputs)[1]

    def predict_task(self, inputs: Any) -> NDArray[np.int64]:
        """Returns the task (batch,) that each sample most likely belongs to."""
        return self._routed().task_log_odds(_inputs(inputs)).argmax(1).numpy()

    def predict_pairs(self, inputs: Any) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Returns (task, label within it), both (batch,), as `task_free.predict_pairs` does."""
        return predict_pairs(self.fitted_network(), self._routed(), _inputs(inputs))

    def evaluate(self, stream: Stream) -> NDArray[np.float64]:
        """Returns the accuracy matrix R (tasks, tasks): R[i, j] on task j after task i.

        Row i is computed by the network as it was after task i, its first i + 1 blocks; that it
        equals what was measured then is what `bocl run` checks bit by bit. Above the diagonal task
        i's head is asked about a task not learned yet; NaN where classes differ.
        """
        return accuracy_matrix(self.fitted_network(), stream)

    def pareto(self, task: int) -> list[tuple[Growth, float, float]]:
        """Returns (growth, cost, expected validation accuracy) that a task could have chosen.

        The front comes from the task's one search: its model expects an accuracy of every growth,
        and every cost, a share of the first network, is known. Empty for the first task.
        """
        record = self.records[task]
        return pareto_front(record.landscape, record.costs.__getitem__)

    def accuracy(self, data: Any, task: int) -> float:
        """Returns the share of right labels on samples of a task."""
        samples = as_samples(data)
        right = self.logits(samples.inputs, task).argmax(1) == samples.targets
        return float(right.double().mean())

    def compact(self) -> Self:
        """Returns a learner with the same functions in fewer numbers; this one stays as it is.

        Gates that do not depend on the sample become part of the weights; earlier units whose
        weights are all zero, and blocks of which no unit is left, are read no more. Logits move by
        rounding alone, which is checked on made inputs. The new learner has no folder yet: `save`
        certifies it as it now is.

        Raises:
            NotFittedError: no task has been learned.
            CertificateError: a logit would move by more than 1e-5 of the largest.
        """
        smaller = compact_network(self.fitted_network(), self.settings.seed)
        records = [
            replace(record, parameters=block.parameters, macs=smaller.macs(task))
            for task, (record, block) in enumerate(zip(self.records, smaller.blocks, strict=True))
        ]
        return self._with(self, smaller, records)

    @classmethod
    def _with(cls, other: Self, network: Network, records: list[TaskRecord]) -> Self:
        """Returns a learner like another one, without a folder, of its own network."""
        learner = cls(searcher=other.searcher, **other.settings.as_dict())
        learner.network, learner.records = network, records
        learner.router, learner._statistics = copy.deepcopy((other.router, other._statistics))
        return learner

    def save(self, folder: str | Path) -> None:
        """Writes the learner; a reader finds the old one or the new one, never a part.

        Raises:
            CheckpointError: the folder holds another learner, not this one or what it once was.
        """
        path = Path(folder)
        saving.save_learner(
            path,
            network=self.fitted_network(),
            records=self.records,
            router=self.router,
            statistics=self._statistics,
            settings=self._plain_settings(),
            # in its own folder all but the newest task are written already
            first_task=self.tasks - 1 if path == self._folder else 0,
        )

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Returns a saved learner.

        Raises:
            CheckpointError: the folder holds none, or a corrupt or foreign one.
        """
        index = files.read_json(Path(folder) / checkpoint.INDEX)
        settings = index.get("settings") if isinstance(index, dict) else None
        if not isinstance(settings, dict):
            raise CheckpointError(f"folder {str(folder)!r} holds no learner")
        known = {name: value for name, value in settings.items() if name != "searcher"}
        learner = cls(**known)
        learner._restore(Path(folder), check=False)
        return learner

    @property
    def moment_bytes(self) -> int:
        """Bytes of statistics kept for routing and views, beside the network's parameters."""
        moments = [] if self.router is None else list(self.router.tensors().values())
        return sum(4 * part.numel() for part in [*moments, *self._statistics.values()])

    def _plain_settings(self) -> dict[str, Any]:
        plain = self.settings.as_dict() | {"searcher": self.searcher.name}
        return {name: list(v) if isinstance(v, tuple) else v for name, v in plain.items()}

    def _restore(self, folder: Path, *, check: bool = True) -> None:
        trunk, settings, self.records, blocks, moments = checkpoint.load_index(folder)
        mine = self._plain_settings()
        differing = [name for name in mine if settings.get(name) != mine[name]]
        if check and differing:
            name = differing[0]
            raise CheckpointError(
                f"folder {str(folder)!r} holds a learner with {name} = {settings.get(name)!r}; "
                f"this one has {mine[name]!r}"
            )
        self.network = Network(trunk, blocks)
        self.router, self._statistics = saving.split_moments(
            moments, trunk.input_shape, self.settings.routing, self.settings.seed
        )

    def fitted_network(self) -> Network:
        """Returns the network.

        Raises:
            NotFittedError: no task has been learned.
        """
        if self.network is None:
            raise NotFittedError("no task has been learned; call fit_task first")
        return self.network

    def _routed(self) -> Router:
        self.fitted_network()
        if self.router is None:
            raise NotFittedError("routing is 0, so tasks cannot be told apart; give the task")
        return self.router


def _inputs(inputs: Any) -> Tensor:
    return torch.as_tensor(np.asarray(inputs)).to(torch.float32)
