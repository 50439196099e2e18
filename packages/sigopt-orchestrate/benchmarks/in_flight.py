"""What a leader costs with many trials in flight, whatever runs them; docs/scale.md quotes it.

    python benchmarks/in_flight.py look N          a look at N running trials, and its memory
    python benchmarks/in_flight.py suggest N       the next trial's parameters while N run
    python benchmarks/in_flight.py suggest N bayesian

The trials are rows of a real store whose executor says at once that they run: what is left is the
leader's own work. What the real executors add stands in the README's table: S5 (local), K4 (pods).
"""

import math
import select
import sys
import time
from collections.abc import Collection
from contextlib import closing, suppress

import numpy as np
import psutil
from measuring import scratch, write_experiment

from sigopt_orchestrate.executors import Attempt, Presence, Running, Work
from sigopt_orchestrate.lifecycle import TrialState
from sigopt_orchestrate.optimizer import Observed, SuggestionService
from sigopt_orchestrate.reconcile import RunLoop
from sigopt_orchestrate.spec import load_experiment
from sigopt_orchestrate.store import Ledger, Store, lead

LOOKS, ASKED, OBSERVED, DIMENSIONS, AT_A_TIME = 5, 3, 60, 6, 1000


class EnoughError(Exception):
    """Everything has been looked at often enough."""


class Elsewhere:
    """Runs nothing and finds everything running."""

    def __init__(self, trials: int) -> None:
        self._trials = trials
        self._found = 0
        self.looks: list[float] = []  # CPU seconds of this process after each look at all

    def find(self, attempt: Attempt) -> Presence:  # noqa: ARG002  all run
        """Says that it runs."""
        self._found += 1
        return Running()

    def retain(self, tokens: Collection[str]) -> None:  # noqa: ARG002  keeps nothing
        """Notes the end of a pass."""
        if self._found >= self._trials:
            self._found = 0
            self.looks.append(time.process_time())
            if len(self.looks) > LOOKS:
                raise EnoughError

    def submit(self, attempt: Attempt, work: Work) -> None:
        """Is never called: all run already."""
        raise NotImplementedError

    end = kill = submit

    def close(self) -> None:
        """Has nothing to give back."""


def fill(ledger: Ledger, trials: int) -> None:
    """Brings that many trials to the state `running`, by the steps they always take."""
    for first in range(0, trials, AT_A_TIME):
        some = range(first, min(trials, first + AT_A_TIME))
        with ledger.group():
            added = [ledger.add_trial({"x": n / trials}, "random") for n in some]
            leased = [ledger.lease(trial) for trial in added if trial is not None]
            for state in (TrialState.SUBMITTED, TrialState.RUNNING):
                leased = [ledger.advance(trial, state) for trial in leased]


def look(trials: int) -> str:
    """Returns what a look at all trials costs, and the leader's memory."""
    with scratch() as folder:
        store = Store(folder)
        spec = load_experiment(write_experiment(folder, budget=trials, parallel=trials))
        record = store.create_experiment(spec, folder)
        executor = Elsewhere(trials)
        with lead(store, record.id) as ledger:
            begun = time.process_time()
            fill(ledger, trials)
            filled = time.process_time() - begun
            home = store.home.experiment(record.id)
            loop = RunLoop(ledger, home, executor, None, lambda *_: None)
            with suppress(EnoughError):
                loop.run()
        memory = psutil.Process().memory_info().rss
        store.close()
    each = (executor.looks[-1] - executor.looks[0]) / LOOKS
    return (
        f"{trials:,} in flight: {1e3 * each:.2f} ms of CPU a look, {memory / 1e6:.0f} MB; "
        f"{filled:.1f} s of CPU to start them"
    )


def suggest(trials: int, algorithm: str) -> str:
    """Returns the CPU seconds of a suggestion, both processes', in six dimensions."""
    with scratch() as folder:
        names = [f"x{n}" for n in range(DIMENSIONS)]
        space = [{"name": x, "type": "double", "bounds": {"min": 0, "max": 1}} for x in names]
        given = {"parameters": space, "command": "true", "optimizer": {"algorithm": algorithm}}
        spec = load_experiment(write_experiment(folder, budget=trials + OBSERVED, **given))
        points = np.random.default_rng(0).random((trials + OBSERVED, DIMENSIONS)).tolist()
        chosen = [dict(zip(names, point, strict=True)) for point in points]
        with closing(SuggestionService(spec, folder / "log")) as service:
            history = [Observed(point, (waves(point),)) for point in chosen[:OBSERVED]]
            pending = chosen[OBSERVED:]
            _ask(service, history, [])  # imports what it needs
            begun, started = _cpu_s(), time.monotonic()
            sources = {_ask(service, history, pending) for _ in range(ASKED)}
            spent, took = _cpu_s() - begun, time.monotonic() - started
    return (
        f"{trials:,} in flight, {OBSERVED} observed, {algorithm}: {spent / ASKED:.3f} s of CPU "
        f"a suggestion ({took / ASKED:.3f} s), {', '.join(sorted(sources))}"
    )


def waves(point: dict[str, float]) -> float:
    """A metric that is no plane: on one the model would know everything after seven points."""
    return sum(math.sin(5 * x + n) for n, x in enumerate(point.values()))


def _ask(
    service: SuggestionService, history: list[Observed], pending: list[dict[str, float]]
) -> str:
    service.request(history, pending)
    while True:
        select.select([service], [], [], 1.0)
        suggestion = service.poll()
        if suggestion is not None:
            return suggestion.source


def _cpu_s() -> float:
    here = psutil.Process()
    return sum(sum(one.cpu_times()[:2]) for one in (here, *here.children()))


if __name__ == "__main__":
    if sys.argv[1] == "look":
        print(look(int(sys.argv[2])))
    else:
        print(suggest(int(sys.argv[2]), (sys.argv[3:] or ["random"])[0]))
