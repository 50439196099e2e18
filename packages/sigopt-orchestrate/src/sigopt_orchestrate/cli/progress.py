"""How a running experiment looks: a live view on a terminal, plain lines elsewhere."""

import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from sigopt_orchestrate.cli.tables import assignments_text, trial_table, values_text
from sigopt_orchestrate.dashboard import best_trials
from sigopt_orchestrate.lifecycle import TrialState
from sigopt_orchestrate.reconcile import Watch
from sigopt_orchestrate.store import ExperimentRecord, TrialRecord


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
            self._live.update(live_view(experiment, trials), refresh=True)
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
            return f"{trial.state}: {trial.reason}  {assignments_text(trial)}"
        lost = trial.attempt - int(trial.state.in_flight)
        if trial.reason and lost > self._lost.get(trial.id, 0):
            self._lost[trial.id] = lost
            return f"queued again: {trial.reason}"
        return None


def live_view(experiment: ExperimentRecord, trials: Collection[TrialRecord]) -> RenderableType:
    """Returns the picture of this moment: how far, what runs, what is best."""
    spec = experiment.spec
    observed = sum(trial.state.observed for trial in trials)
    failed = sum(trial.state is TrialState.FAILED for trial in trials)
    head = Table.grid(padding=(0, 1))
    head.add_row(
        Text(f"experiment {experiment.id}: {spec.name}", style="bold"),
        ProgressBar(total=spec.budget, completed=observed, width=30),
        f"{observed}/{spec.budget}" + (f", {failed} failed" if failed else ""),
    )
    running = Table.grid(padding=(0, 2))
    for trial in trials:
        if trial.state.in_flight and trial.started_at is not None:
            elapsed = f"{time.time() - trial.started_at:.0f} s"
            label = f"trial {trial.number}"
            running.add_row(label, str(trial.state), elapsed, Text(assignments_text(trial)))
    parts: list[RenderableType] = [head, running]
    best = best_trials(spec, trials)
    if best:
        title = "best so far" if len(spec.objectives) == 1 else "Pareto front so far"
        parts.append(trial_table(spec, best[:5], title))
    return Group(*parts)
