"""How a running experiment looks: a live view on a terminal, plain lines elsewhere."""

import time
from collections.abc import Iterator, Sequence
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
    with Live(console=console, refresh_per_second=4, transient=True) as live:
        yield lambda experiment, trials: live.update(live_view(experiment, trials))


class PlainLines:
    """One line for each observation and each trial that is sent back to the queue."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._seen: dict[int, tuple[str, int]] = {}

    def __call__(self, experiment: ExperimentRecord, trials: Sequence[TrialRecord]) -> None:
        """Prints what has changed since the last call; at the first, only what is new from then."""
        first = not self._seen
        observed = sum(trial.state.observed for trial in trials)
        for trial in trials:
            now = (trial.state, trial.attempt)
            before = self._seen.get(trial.id)
            self._seen[trial.id] = now
            if first or before == now:
                continue
            line = self._line(experiment, trial)
            if line:
                head = f"[{observed}/{experiment.spec.budget}] trial {trial.number} "
                self._console.print(Text(head + line), soft_wrap=True)

    def _line(self, experiment: ExperimentRecord, trial: TrialRecord) -> str | None:
        if trial.state is TrialState.COMPLETED:
            return f"{values_text(experiment.spec, trial)}  {assignments_text(trial)}"
        if trial.state in {TrialState.FAILED, TrialState.STOPPED}:
            return f"{trial.state}: {trial.reason}  {assignments_text(trial)}"
        if trial.state is TrialState.QUEUED and trial.attempt:
            return f"queued again: {trial.reason}"
        return None


def live_view(experiment: ExperimentRecord, trials: Sequence[TrialRecord]) -> RenderableType:
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
