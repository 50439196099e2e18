"""`cmn evaluate` and `cmn compare`: one model or many, on validation or test."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cmn.baselines import BASELINES, installed_peers, make_baseline
from cmn.cli.inputs import (
    check_plot,
    held_out_part,
    load_models_and_split,
    load_split,
    use_threads,
)
from cmn.cli.options import data_options, json_only, part_options
from cmn.cli.output import emit, means_table, say
from cmn.errors import ParameterError

if TYPE_CHECKING:
    from cmn.recommender import CMN

_NAMES = ", ".join(BASELINES)


@click.command()
@data_options
@click.option("--model", type=click.Path(path_type=Path), help="Folder of a trained model.")
@click.option("--baseline", help=f"Fit and evaluate this: {_NAMES}.")
@part_options
@json_only
def evaluate(
    *,
    data: str,
    min_rating: float | None,
    threads: int | None,
    metrics_out: Path | None,
    model: Path | None,
    baseline: str | None,
    part: str,
    split_seed: int | None,
    split_by: str | None,
    rivals: int | None,
    rivals_by: str,
    sampled_only: bool,
    json_only: bool,
) -> None:
    """Print the metrics of a trained model or of a baseline, with 95 % bootstrap intervals.

    Full ranking, seen items masked; where there are rivals, also against these alone.
    """
    if (model is None) == (baseline is None):
        raise ParameterError("model and baseline are both or neither given; exactly one is needed")
    scorer: Any = None if baseline is None else make_baseline(baseline)
    from cmn.evaluation import assess  # noqa: PLC0415  imports scipy
    from cmn.significance import interval  # noqa: PLC0415

    use_threads(threads)
    if model is not None:
        (scorer,), split = load_models_and_split([model], data, min_rating, split_seed, split_by)
    else:
        split, _ = load_split(data, min_rating, split_seed, split_by)
        scorer.fit(split.train)
    held_out, seen = held_out_part(split, part, rivals, rivals_by)
    evaluation = assess(scorer, held_out, seen, sampled_only=sampled_only)
    means = evaluation.means()
    intervals = {name: interval(values) for name, values in evaluation.per_user.items()}
    if not json_only:
        click.echo(means_table(means, intervals))
    emit({**means, "users": evaluation.users.size, "intervals": intervals}, metrics_out)


@click.command()
@data_options
@click.option(
    "--model",
    "models",
    type=click.Path(path_type=Path),
    multiple=True,
    help="Folder of a trained model; may be given several times.",
)
@click.option(
    "--only",
    help=f"Separated by commas; if not given: {_NAMES}, and what implicit and Cornac have, if"
    " they are installed.",
)
@click.option("--plot", type=click.Path(path_type=Path), help="Also draw a picture here (.png).")
@part_options
@json_only
def compare(
    *,
    data: str,
    min_rating: float | None,
    threads: int | None,
    metrics_out: Path | None,
    models: tuple[Path, ...],
    only: str | None,
    plot: Path | None,
    part: str,
    split_seed: int | None,
    split_by: str | None,
    rivals: int | None,
    rivals_by: str,
    sampled_only: bool,
    json_only: bool,
) -> None:
    """Fit every baseline and measure them and trained models on one split.

    A table; then one JSON object of each one's metrics by name, a model's name being its folder.
    p is that of a paired t-test against the best by NDCG@10. A baseline that cannot be fitted to
    the data is left out and the reason printed.
    """
    check_plot(plot)
    names = (
        (*BASELINES, *installed_peers())
        if only is None
        else tuple(name.strip() for name in only.split(","))
    )
    peers = {name: make_baseline(name) for name in names}
    from cmn.compare import compare as measure  # noqa: PLC0415  imports scipy
    from cmn.compare import criterion, table  # noqa: PLC0415

    use_threads(threads)
    scorers: list[CMN] = []
    if models:
        scorers, split = load_models_and_split(models, data, min_rating, split_seed, split_by)
    else:
        split, _ = load_split(data, min_rating, split_seed, split_by)
    trained = {str(folder): scorer for folder, scorer in zip(models, scorers, strict=True)}
    held_out, seen = held_out_part(split, part, rivals, rivals_by)
    metrics, skipped = measure(
        peers,
        trained,
        split.train,
        (held_out, seen),
        lambda name: say(f"measuring {name}"),
        sampled_only=sampled_only,
    )
    if plot is not None:
        from cmn.plots import plot_comparison  # noqa: PLC0415

        means = {name: values[criterion(metrics)] for name, values in metrics.items()}
        spans = {name: values["interval"] for name, values in metrics.items()}
        plot_comparison(means, spans, criterion(metrics), plot)
    if not json_only:
        click.echo(table(metrics))
        for name, reason in skipped.items():
            click.echo(f"{name} is left out: {reason}")
    emit(metrics, metrics_out)
