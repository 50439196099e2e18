"""Comparison: many models on one split, their metrics as a table, the best against each other."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any

from cmn.errors import MissingDependencyError, ParameterError
from cmn.evaluation import Evaluation, assess
from cmn.significance import interval, paired

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from scipy import sparse

    from cmn.interactions import HeldOut

Metrics = dict[str, dict[str, Any]]
GROUPS = {"": "", "raw ": "raw_", "masked ": "masked_"}  # heading: prefix of the metric
COLUMNS = {"HR@10": "hr@10", "NDCG@10": "ndcg@10", "coverage": "coverage@10"}
CRITERIA = ("ndcg@10", "masked_ndcg@10")  # the first of them that was measured


def compare(
    baselines: Mapping[str, Any],
    models: Mapping[str, Any],
    train: sparse.csr_array,
    part: tuple[HeldOut, sparse.csr_array],
    report: Callable[[str], None],
    *,
    sampled_only: bool = False,
) -> tuple[Metrics, dict[str, str]]:
    """Fits baselines to the training part and measures them and fitted models.

    Args:
        baselines: unfitted ones by name; their metrics get `fit_seconds` (wall time) too.
        models: fitted ones by name.
        train: what to learn from.
        part: what is held out, and what to mask.
        report: called with each name before its turn.
        sampled_only: rank against rivals alone.

    Returns:
        Metrics by name, each with the 95 % bootstrap `interval` of its NDCG@10 and, under
        `against_best`, the paired difference to the best of all, its interval and p-value; and the
        reason for each baseline that refused the data or needs what is not installed.

    Raises:
        ParameterError: a name is used twice, or every baseline refused and there is no model.
    """
    twice = baselines.keys() & models.keys()
    if twice:
        raise ParameterError(f"model is {min(twice)!r}, a baseline's name; another path is needed")
    evaluations: dict[str, Evaluation] = {}
    seconds: dict[str, float] = {}
    skipped: dict[str, str] = {}
    for name, baseline in baselines.items():
        report(name)
        started = perf_counter()
        try:
            baseline.fit(train)
        except (ParameterError, MissingDependencyError) as error:
            skipped[name] = str(error)
            continue
        seconds[name] = perf_counter() - started
        evaluations[name] = assess(baseline, *part, sampled_only=sampled_only)
    for name, model in models.items():
        report(name)
        evaluations[name] = assess(model, *part, sampled_only=sampled_only)
    if not evaluations:
        raise ParameterError("; ".join(skipped.values()))
    means: Metrics = {name: {**evaluation.means()} for name, evaluation in evaluations.items()}
    for name, value in seconds.items():
        means[name]["fit_seconds"] = value
    metric = criterion(means)
    best = max(means, key=lambda name: means[name][metric])
    for name, evaluation in evaluations.items():
        versus = paired(evaluation, evaluations[best], metric)
        means[name]["interval"] = interval(evaluation.per_user[metric])
        means[name]["against_best"] = {"best": best, "metric": metric, **vars(versus)}
    return means, skipped


def criterion(metrics: Metrics) -> str:
    """Returns the metric that models are compared by: NDCG@10, masked where there is no other."""
    first = next(iter(metrics.values()))
    return next(metric for metric in CRITERIA if metric in first)


def table(metrics: Metrics) -> str:
    """Returns the metrics at 10 as lines, those of published rivals too where there are any."""
    first = next(iter(metrics.values()))
    keys = {
        heading + title: prefix + key
        for heading, prefix in GROUPS.items()
        for title, key in COLUMNS.items()
        if prefix + key in first
    }
    keys = {heading.rjust(len("0.0000")): key for heading, key in keys.items()}
    width = max(len("model"), *map(len, metrics))
    lines = ["  ".join(["model".ljust(width), *keys, "fit s", "p".rjust(7)])]
    for name, values in metrics.items():
        cells = [f"{values[key]:.4f}".rjust(len(heading)) for heading, key in keys.items()]
        seconds = f"{values['fit_seconds']:.1f}" if "fit_seconds" in values else "-"
        against = values["against_best"]
        p_value = "best" if against["best"] == name else f"{against['p_value']:.1g}"
        ends = [seconds.rjust(len("fit s")), p_value.rjust(7)]
        lines.append("  ".join([name.ljust(width), *cells, *ends]))
    return "\n".join(lines)
