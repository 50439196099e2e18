"""How a running experiment looks: a live view on a terminal, plain lines elsewhere."""

import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console, ConsoleDimensions, Group, RenderableType
from rich.live import Live
from rich.measure import Measurement
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from sigopt_orchestrate.cli.tables import assignments_text, trial_table, values_text
from sigopt_orchestrate.dashboard import best_trials
from sigopt_orchestrate.lifecycle import TrialState
from sigopt_orchestrate.reconcile import Watch
from sigopt_orchestrate.store import ExperimentRecord, TrialRecord

_WIDE, _HIGH = 72, 16  # the columns and lines below which a terminal counts as small
_UNBOUNDED = Console(width=10_000)


@contextmanager
def progress(console: Console) -> Iterator[Watch]:
    """Gives the function that shows an experiment's progress on `console`."""
    if not console.is_terminal:
        yield PlainLines(console)
        return
    with Live(console=console, auto_refresh=False, transient=True) as live:
        yield LiveView(live)


class LiveView:
    """The picture on a terminal, drawn anew at most four times a second."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._next = 0.0

    def __call__(
        self,
        experiment: ExperimentRecord,
        trials: Collection[TrialRecord],
        moved: Sequence[TrialRecord],  # noqa: ARG002 - a picture shows all
    ) -> None:
        """Draws the picture, unless it was drawn just now."""
        if time.monotonic() >= self._next:
            size = self._live.console.size
            self._live.update(live_view(experiment, trials, size), refresh=True)
            self._next = time.monotonic() + 0.25


class PlainLines:
    """One line for each observation and each trial that is sent back to the queue."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._observed: int | None = None
        self._lost: dict[int, int] = {}  # the last attempt, by trial, that was said to be lost

    def __call__(
        self,
        experiment: ExperimentRecord,
        trials: Collection[TrialRecord],
        moved: Sequence[TrialRecord],
    ) -> None:
        """Prints what has moved."""
        new = sum(trial.state.observed for trial in moved)
        if self._observed is None:
            self._observed = sum(trial.state.observed for trial in trials) - new
        self._observed += new
        for trial in moved:
            line = self._line(experiment, trial)
            if line:
                head = f"[{self._observed}/{experiment.spec.budget}] trial {trial.number} "
                self._console.print(Text(head + line), soft_wrap=True)

    def _line(self, experiment: ExperimentRecord, trial: TrialRecord) -> str | None:
        if trial.state is TrialState.COMPLETED:
            return f"{values_text(experiment.spec, trial)}  {assignments_text(trial)}"
        if trial.state in {TrialState.FAILED, TrialState.STOPPED}:
            why = f": {trial.reason}" if trial.reason else ""  # a queued one may have none
            return f"{trial.state}{why}  {assignments_text(trial)}"
        lost = trial.attempt - int(trial.state.in_flight)
        if trial.reason and lost > self._lost.get(trial.id, 0):
            self._lost[trial.id] = lost
            return f"queued again: {trial.reason}"
        return None


def live_view(
    experiment: ExperimentRecord, trials: Collection[TrialRecord], size: ConsoleDimensions
) -> RenderableType:
    """Returns the picture of this moment: how far, what runs, what is best.

    Args:
        experiment: As it is now.
        trials: All of them.
        size: What the picture must fit into.
    """
    wide = size.width >= _WIDE
    running = [t for t in trials if t.state.in_flight and t.started_at is not None]
    parts: list[RenderableType] = [_head(experiment, trials, wide=wide)]
    best = best_trials(experiment.spec, trials)
    shown = best[: 5 if size.height >= _HIGH else 1]
    room = max(1, size.height - 4 - len(shown) - int(bool(shown)) * 2)
    table = Table.grid(padding=(0, 2 if wide else 1))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    for trial in running[:room]:
        elapsed = f"{time.time() - (trial.started_at or 0.0):.0f} s"
        label = f"trial {trial.number}" if wide else str(trial.number)
        state = f"{trial.state} {elapsed}" if wide else elapsed
        table.add_row(label, state, Text(assignments_text(trial)))
    if len(running) > room:
        table.add_row("", "", Text(f"and {len(running) - room} more", style="dim"))
    parts.append(table)
    if shown:
        title = "best so far" if len(experiment.spec.objectives) == 1 else "Pareto front so far"
        full = trial_table(experiment.spec, shown, title)
        fits = wide and Measurement.get(_UNBOUNDED, _UNBOUNDED.options, full).maximum <= size.width
        parts.append(full if fits else _lines(experiment, shown, title))
    return Group(*parts)


def _head(
    experiment: ExperimentRecord, trials: Collection[TrialRecord], *, wide: bool
) -> RenderableType:
    spec = experiment.spec
    observed = sum(trial.state.observed for trial in trials)
    failed = sum(trial.state is TrialState.FAILED for trial in trials)
    counted = f"{observed}/{spec.budget}" + (f", {failed} failed" if failed else "")
    title = Text(f"experiment {experiment.id}: {spec.name}", style="bold", no_wrap=True)
    title.overflow = "ellipsis"
    if not wide:
        return Group(title, Text(counted, no_wrap=True))
    head = Table.grid(padding=(0, 1))
    head.add_row(title, ProgressBar(total=spec.budget, completed=observed, width=30), counted)
    return head


def _lines(
    experiment: ExperimentRecord, trials: Sequence[TrialRecord], title: str
) -> RenderableType:
    """The trials on a line each, cut where the terminal ends."""
    lines = [Text(title, style="italic")]
    for trial in trials:
        said = f"{trial.number}: {values_text(experiment.spec, trial)} {assignments_text(trial)}"
        lines.append(Text(said, no_wrap=True, overflow="ellipsis"))
    return Group(*lines)
