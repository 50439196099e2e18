"""Comparison: many models on one split, and their metrics as a table."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any

from cmn.errors import ParameterError
from cmn.evaluation import evaluate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cmn.evaluation import Scorer
    from cmn.splits import Split

Metrics = dict[str, dict[str, float]]
GROUPS = {"": "", "raw ": "raw_", "masked ": "masked_"}  # heading: prefix of the metric
COLUMNS = {"HR@10": "hr@10", "NDCG@10": "ndcg@10"}


def compare(
    baselines: Mapping[str, Any],
    models: Mapping[str, Scorer],
    split: Split,
    part: str,
    report: Callable[[str], None],
) -> tuple[Metrics, dict[str, str]]:
    """Fits baselines to the training part and measures them and fitted models.

    Args:
        baselines: unfitted ones by name; their metrics get `fit_seconds` (wall time) too.
        models: fitted ones by name.
        split: what to learn from and what to measure on.
        part: `validation` or `test`.
        report: called with each name before its turn.

    Returns:
        Metrics by name; and the reason for each baseline that refused the data.

    Raises:
        ParameterError: a name is used twice, or every baseline refused and there is no model.
    """
    twice = baselines.keys() & models.keys()
    if twice:
        raise ParameterError(f"model is {min(twice)!r}, a baseline's name; another path is needed")
    held_out, seen = split.part(part)
    metrics: Metrics = {}
    skipped: dict[str, str] = {}
    for name, baseline in baselines.items():
        report(name)
        started = perf_counter()
        try:
            baseline.fit(split.train)
        except ParameterError as error:
            skipped[name] = str(error)
            continue
        seconds = perf_counter() - started
        metrics[name] = {**evaluate(baseline, held_out, seen), "fit_seconds": seconds}
    for name, model in models.items():
        report(name)
        metrics[name] = evaluate(model, held_out, seen)
    if not metrics:
        raise ParameterError("; ".join(skipped.values()))
    return metrics, skipped


def table(metrics: Metrics) -> str:
    """Returns the metrics at 10 as lines, those of published rivals too where there are any."""
    first = next(iter(metrics.values()))
    keys = {
        heading + title: prefix + key
        for heading, prefix in GROUPS.items()
        for title, key in COLUMNS.items()
        if prefix + key in first
    }
    width = max(len("model"), *map(len, metrics))
    lines = ["  ".join(["model".ljust(width), *keys, "fit s"])]
    for name, values in metrics.items():
        cells = [f"{values[key]:.4f}".rjust(len(heading)) for heading, key in keys.items()]
        seconds = f"{values['fit_seconds']:.1f}" if "fit_seconds" in values else "-"
        lines.append("  ".join([name.ljust(width), *cells, seconds.rjust(len("fit s"))]))
    return "\n".join(lines)
