"""A learner over a stream: fit, test on everything seen, check that nothing was forgotten, store.

run/learner.json, tasks/, work/   the learner
run/run.json                      which stream this is
run/results.json                  accuracy matrix, metrics, accounts, written after every task
"""

from __future__ import annotations

import math
import resource
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bocl import files
from bocl.errors import BOCLError, CheckpointError
from bocl.learner import BOCL
from bocl.metrics import measure
from bocl.streams.registry import make_stream

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bocl.streams.samples import Samples, Stream, Task

RUN, RESULTS = "run.json", "results.json"
HELD_OUT = 0.2  # of the training samples, where these judge instead of the test samples


class ForgottenError(BOCLError, AssertionError):
    """An earlier task's logits changed: a defect of this package, never the user's fault."""


def run_stream(
    folder: Path,
    stream_name: str,
    tasks: int | None,
    *,
    protocol: str = "best",
    held_out: bool = False,
    report: Callable[[str], None] = lambda _: None,
    finished: Callable[[int, int, dict[str, Any]], None] = lambda *_: None,
    **changes: Any,
) -> dict[str, Any]:
    """Learns a stream's tasks in a folder, going on where an earlier run was stopped.

    Args:
        folder: new, or of an earlier run with the same stream and settings.
        stream_name: a key of `STREAMS`.
        tasks: how many; the stream's usual number if None.
        protocol: `best` or `paper`.
        held_out: whether a share of the training samples judges, unseen by the learner, and the
            test samples are left alone.
        report: is told what is going on.
        finished: is told a task's number from 0, the number of tasks and the results so far.
        changes: fields of `Settings`.

    Returns:
        What results.json holds.

    Raises:
        CheckpointError: the folder is of another run.
        ForgottenError: an earlier task's logits are not bit by bit what they were.
    """
    seed = changes.get("seed", 0)
    stream = open_stream(stream_name, tasks, seed, held_out=held_out)
    learner = BOCL(folder, protocol=protocol, report=report, **changes)
    asked = {"stream": stream_name, "tasks": len(stream), "seed": seed, "protocol": protocol}
    asked["held_out"] = HELD_OUT if held_out else None  # None, too, in folders older than the key
    _check(folder, asked)
    tests = _Tests(stream)
    results = _earlier_results(folder, learner, tests)
    for index in range(learner.tasks, len(stream)):
        task = stream[index]
        learner.fit_task(task.train, name=task.name)
        _test(learner, tests, index, results)
        _account(results, learner)
        files.write_json(folder / RESULTS, results)
        finished(index, len(stream), results)
    return results


def open_stream(name: str, tasks: int | None, seed: int, *, held_out: bool) -> Stream:
    """Returns the stream that a run learns and is judged by, see `run_stream`."""
    stream = make_stream(name, tasks, seed)
    return stream.held_out(HELD_OUT, seed) if held_out else stream


def _check(folder: Path, asked: dict[str, Any]) -> None:
    path = folder / RUN
    if not path.exists():
        files.write_json(path, asked)
        return
    found = files.read_json(path)
    for name, value in asked.items():
        if found.get(name) != value:
            raise CheckpointError(
                f"folder {str(folder)!r} holds a run with {name} = {found.get(name)!r}; "
                f"this one has {value!r}"
            )


class _Tests:
    """The test parts of a stream; each is made once and its training part let go."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._made: dict[int, tuple[Samples, int]] = {}

    def __len__(self) -> int:
        return len(self._stream)

    def __getitem__(self, index: int) -> tuple[Samples, int]:
        """Returns a task's test samples and its number of classes."""
        if index not in self._made:
            task = self._stream[index]
            self._made[index] = (task.test, task.classes)
        return self._made[index]


def _earlier_results(folder: Path, learner: BOCL, tests: _Tests) -> dict[str, Any]:
    results: dict[str, Any] = {"rows": [], "logits": []}
    if learner.tasks and (folder / RESULTS).exists():
        results = files.read_json(folder / RESULTS)
    while len(results["rows"]) < learner.tasks:  # killed between storing a task and its results
        _test(learner, tests, len(results["rows"]), results)
        _account(results, learner)
        files.write_json(folder / RESULTS, results)
    return results


def _test(learner: BOCL, tests: _Tests, index: int, results: dict[str, Any]) -> None:
    """Adds a row: accuracies on all tasks up to the newest, and the newest's on the next one."""
    digests: list[str] = results["logits"]
    row: list[float | None] = []
    for task in range(index + 1):
        test, _ = tests[task]
        logits = learner.logits(test.inputs, task)
        found = files.digest(logits)
        if task == index:
            digests.append(found)
        elif found != digests[task]:
            raise ForgottenError(f"task {task}'s logits changed while task {index} was learned")
        row.append(float((logits.argmax(1) == test.targets).double().mean()))
    if index + 1 < len(tests):
        following, classes = tests[index + 1]
        same = classes == learner.records[index].classes
        row.append(learner.accuracy(following, index) if same else None)
    results["rows"].append(row)


def accuracy_matrix(rows: list[list[float | None]]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Returns R (tasks, tasks) of stored rows; NaN where nothing was measured."""
    size = len(rows)
    matrix = np.full((size, size), np.nan)
    for i, row in enumerate(rows):
        values = [np.nan if value is None else value for value in row[:size]]
        matrix[i, : len(values)] = values
    return matrix


def _account(results: dict[str, Any], learner: BOCL) -> None:
    network, records = learner.network, learner.records
    assert network is not None  # noqa: S101  a task has just been learned
    metrics = asdict(measure(accuracy_matrix(results["rows"]), [r.classes for r in records]))
    parameters = [record.parameters for record in records]
    results["metrics"] = {
        name: None if math.isnan(value) else value for name, value in metrics.items()
    }
    results["parameters"] = parameters
    results["size"] = sum(parameters) / parameters[0]
    results["bytes"] = 4 * sum(parameters)
    results["moment_bytes"] = learner.moment_bytes
    results["macs"] = [record.macs for record in records]
    results["search_seconds"] = sum(record.search_seconds for record in records)
    results["training_seconds"] = sum(record.training_seconds for record in records)
    results["trials"] = [len(record.trials) for record in records]
    results["peak_mebibytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def judge_routing(learner: BOCL, stream: Sequence[Task]) -> dict[str, float]:
    """Returns how well tasks are told apart on all test samples, and accuracy without task ids.

    `task_inference` is the share of samples given to the right task, `without_task` the share with
    the right label, `class_incremental` the share with task and label right among all classes of
    all tasks.
    """
    total, inferred, unaided, both = 0, 0, 0, 0
    for index in range(learner.tasks):
        test = stream[index].test
        tasks, labels = learner.predict_pairs(test.inputs)
        right = labels == test.targets.numpy()
        total += len(test)
        inferred += int((learner.predict_task(test.inputs) == index).sum())
        unaided += int(right.sum())
        both += int(((tasks == index) & right).sum())
    return {
        "task_inference": inferred / total,
        "without_task": unaided / total,
        "class_incremental": both / total,
    }
