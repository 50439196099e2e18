"""Measures methods on a stream, all in one frame, and keeps each outcome as soon as it is there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bocl.baselines.separate import size
from bocl.baselines.shared import SharedNetwork
from bocl.comparison import Outcome, learn_tasks, plain_matrix
from bocl.errors import CheckpointError
from bocl.methods import Frame, Grown, check_names, make_method
from bocl.running import judge_routing
from bocl.settings import settings_of
from bocl.streams.registry import STREAMS, make_stream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from bocl.comparison import Outcomes
    from bocl.streams.samples import Task


def compare(
    stream: str,
    methods: Sequence[str],
    outcomes: Outcomes,
    *,
    tasks: int | None = None,
    seeds: Iterable[int] = (0,),
    total: float = 2.0,
    report: Callable[[str], None] = lambda _: None,
    **changes: Any,
) -> list[list[Outcome]]:
    """Returns each method's outcomes, one per seed, measuring those that are not there yet.

    Args:
        stream: its name.
        methods: names of `bocl.methods.METHODS`.
        outcomes: what was measured before; new ones are added.
        tasks: how many; the stream's usual number if not given.
        seeds: of streams, weights and searches.
        total: times one plain network that equal-size separate networks may have together; as many
            as ours ended with, where `bocl` comes first.
        report: is told, in a line, what was learned.
        changes: settings for all methods.

    Raises:
        SettingsError: unknown method or setting.
        DataError: unknown stream or too many tasks.
        CheckpointError: outcomes kept were measured with other numbers of tasks or epochs.
    """
    check_names(methods)
    rows: list[list[Outcome]] = [[] for _ in methods]
    for seed in seeds:
        made: list[Task] = []
        for place, (row, name) in enumerate(zip(rows, methods, strict=True)):
            found = outcomes.find(stream, name, seed)
            ours = outcomes.find(stream, "bocl", seed) if "bocl" in methods[:place] else None
            factor = total if ours is None else ours.parameters / ours.base
            if found is None:
                made = made or list(make_stream(stream, tasks, seed))
                frame = frame_of(stream, made, seed, factor, **changes)
                found = measure_method(stream, name, name, made, frame, report=report)
                outcomes.add(found)
            _check_kept(found, _asked(stream, name, tasks, int(factor * found.base), changes))
            row.append(found)
    return rows


def _asked(
    stream: str, method: str, tasks: int | None, total: int, changes: Mapping[str, Any]
) -> dict[str, Any]:
    """Returns the numbers that a method's outcome depends on."""
    kind = STREAMS[stream]
    asked: dict[str, Any] = {"tasks": tasks or kind.tasks}
    if method != "paper":  # it has its own
        asked["epochs"] = settings_of("best", **{**kind.settings, **changes}).epochs
    if method == "equal-size":
        asked["total"] = total
    return asked


def _check_kept(outcome: Outcome, asked: Mapping[str, Any]) -> None:
    """Raises CheckpointError for an outcome that was measured with other numbers."""
    kept = {"tasks": len(outcome.matrix)} | outcome.facts
    for name, value in asked.items():
        if kept.get(name) != value:
            raise CheckpointError(
                f"the outcome of {outcome.method} on {outcome.stream} was kept with {name} = "
                f"{kept.get(name)}; this comparison has {value}; give it another folder"
            )


def frame_of(stream: str, tasks: Sequence[Task], seed: int, total: float, **changes: Any) -> Frame:
    """Returns what all methods on a stream share: the stream's usual settings with some changed.

    Args:
        stream: its name.
        tasks: made.
        seed: of weights, order and search.
        total: times one plain network that equal-size separate networks may have together.
        changes: settings.
    """
    kind = STREAMS[stream]
    settings = settings_of("best", **({"trunk": kind.trunk} | kind.settings | changes))
    shape = tuple(tasks[0].train.inputs.shape[1:])
    frame = Frame(shape, len(tasks), settings, 0, seed)
    base = size(frame.trunk, frame.trunk.base, tasks[0].classes)
    return Frame(shape, len(tasks), settings, int(total * base), seed)


def measure_method(
    stream: str,
    label: str,
    name: str,
    tasks: Sequence[Task],
    frame: Frame,
    *,
    report: Callable[[str], None] = lambda _: None,
    **changes: Any,
) -> Outcome:
    """Returns what a new method made of a stream.

    Args:
        stream: its name, for the outcome.
        label: the method's, for the outcome.
        name: one of `bocl.methods.METHODS`.
        tasks: made.
        frame: what all methods share.
        report: is told, in a line, what was learned.
        changes: settings of this method alone.
    """
    method = make_method(name, frame, **changes)
    every_row = name != "joint"  # it would be trained anew for every row
    matrix = learn_tasks(
        method, tasks, every_row=every_row, report=lambda line: report(f"{label} {line}")
    )
    facts = {"epochs": frame.settings.epochs} | _without_task_ids(method, tasks)
    if isinstance(method, Grown):
        facts |= method.facts() | {"epochs": method.learner.settings.epochs}
    if name == "equal-size":
        facts["total"] = frame.total
    base = size(frame.trunk, frame.trunk.base, tasks[0].classes)
    return Outcome(
        stream,
        label,
        frame.seed,
        plain_matrix(matrix),
        method.parameters,
        base,
        method.cpu_s,
        facts,
    )


def _without_task_ids(method: object, tasks: Sequence[Task]) -> dict[str, Any]:
    """Returns what a method makes of the test samples when nobody tells their task."""
    if isinstance(method, Grown):
        routed = method.learner.router is not None
        return dict(judge_routing(method.learner, tasks)) if routed else {}
    if not isinstance(method, SharedNetwork) or method.heads != "growing":
        return {}
    right = total = 0
    for number, task in enumerate(tasks):
        wanted = task.test.targets.numpy() + method.span(number).start
        right += int((method.predict_class(task.test.inputs) == wanted).sum())
        total += len(task.test)
    return {"class_incremental": right / total}
