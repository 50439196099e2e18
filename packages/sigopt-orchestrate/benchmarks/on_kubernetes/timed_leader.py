"""A leader as `orchestrate run` starts it, whose passes over the trials are timed.

    python -m on_kubernetes.timed_leader HOME FILE PASSES

writes a line to PASSES for each: when it began, the seconds and CPU seconds that it took, the
trials in flight, and the bytes that the process has in memory.
"""

import json
import signal
import sys
import time
from contextlib import closing
from pathlib import Path

import psutil

from sigopt_orchestrate.optimizer import SuggestionService
from sigopt_orchestrate.reconcile.launch import executor_of
from sigopt_orchestrate.reconcile.loop import RunLoop
from sigopt_orchestrate.spec import load_experiment
from sigopt_orchestrate.store import Store, lead


class TimedLoop(RunLoop):
    """The run loop, with a stopwatch."""

    passes: list[dict[str, float]]

    def _pass(self) -> bool:
        at, began, cpu = time.time(), time.perf_counter(), time.thread_time()
        moved = super()._pass()
        self.passes.append(
            {
                "at": at,
                "seconds": time.perf_counter() - began,
                "cpu_s": time.thread_time() - cpu,
                "in_flight": len(self._ledger.roster.in_flight),
                "memory": psutil.Process().memory_info().rss,
            }
        )
        return moved


def main() -> None:
    """Runs the experiment to its end, or until it is asked to stop."""
    home, file, passes = map(Path, sys.argv[1:])
    store, spec = Store(home), load_experiment(file)
    experiment = store.create_experiment(spec, file.parent)
    folder = store.home.experiment(experiment.id)
    with (
        lead(store, experiment.id) as ledger,
        closing(SuggestionService(spec, folder.optimizer_log)) as suggestions,
    ):
        executor = executor_of(experiment, folder)
        loop = TimedLoop(ledger, folder, executor, suggestions, lambda *_: None)
        loop.passes = []
        signal.signal(signal.SIGTERM, lambda *_: loop.request_stop())
        loop.run()
    passes.write_text("".join(json.dumps(one) + "\n" for one in loop.passes))


if __name__ == "__main__":
    main()
