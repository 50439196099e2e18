"""CPU seconds of one suggestion against the length of the history: 6 dimensions, one thread."""

import os
import random
import statistics
import time
from collections.abc import Iterator

for _name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[_name] = "1"

from problems import hartmann6  # noqa: E402, after the threads are set

from sigopt_orchestrate.optimizer import Observed  # noqa: E402
from sigopt_orchestrate.optimizer.suggest import suggest  # noqa: E402
from sigopt_orchestrate.spec import Experiment  # noqa: E402

SIZES = (60, 500, 2000, 10_000)
_REPEATS = 3


def _experiment(seed: int) -> Experiment:
    bounds = {"min": 0, "max": 1}
    return Experiment.model_validate(
        {
            "name": "latency",
            "command": "true",
            "parameters": [{"name": f"x{i}", "type": "double", "bounds": bounds} for i in range(6)],
            "metrics": [{"name": "f", "objective": "minimize"}],
            "budget": 100_000,
            "optimizer": {"seed": seed},
        }
    )


def _history(size: int, seed: int) -> list[Observed]:
    """Half of it anywhere, half of it near the optimum, as a search leaves it behind."""
    rng = random.Random(seed)  # noqa: S311
    optimum = (0.20169, 0.150011, 0.476874, 0.275332, 0.311652, 0.6573)
    found = []
    for i in range(size):
        x = [rng.random() for _ in range(6)]
        if i % 2:
            x = [min(max(o + rng.gauss(0, 0.1), 0), 1) for o in optimum]
        found.append(Observed({f"x{j}": v for j, v in enumerate(x)}, (hartmann6(x),)))
    return found


def seconds() -> Iterator[tuple[int, float, float]]:
    """Yields sizes of the history with the median and the largest CPU seconds of a suggestion."""
    suggest(_experiment(0), _history(8, 0), [])  # imports
    for size in SIZES:
        taken = []
        for seed in range(_REPEATS):
            history = _history(size, seed)
            before = time.process_time()
            suggest(_experiment(seed), history, [])
            taken.append(time.process_time() - before)
        yield size, statistics.median(taken), max(taken)


if __name__ == "__main__":
    for size, median, largest in seconds():
        print(f"{size} observations: median {median:.3f} s, largest {largest:.3f} s")
