"""Command line: `cmn train` and `cmn evaluate`.

The last line of stdout is one JSON object; progress goes to stderr.
"""

from __future__ import annotations

import json
import sys
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cmn.errors import CMNError, ModelFileError, ParameterError
from cmn.hyperparameters import Hyperparameters

if TYPE_CHECKING:
    from collections.abc import Callable

    from cmn.early_stopping import Epoch
    from cmn.splits import Split

DATA_HELP = "movielens-small, citeulike-a, or a file: .csv, .parquet, .npz"


class _Group(click.Group):
    """Turns this package's errors and unusable paths into one sentence and exit status 2."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (CMNError, OSError) as error:
            click.echo(f"Error: {error}", err=True)
            sys.exit(2)


@click.group(cls=_Group)
@click.version_option(package_name="cmn")
def main() -> None:
    """Collaborative Memory Network: train, evaluate, compare with baselines."""


def _hyperparameter_options(command: Callable[..., None]) -> Callable[..., None]:
    for setting in reversed(fields(Hyperparameters)):
        flag = f"--{setting.name.replace('_', '-')}"
        if isinstance(setting.default, bool):
            flag = f"{flag}/--no-{flag[2:]}"
        command = click.option(
            flag,
            setting.name,
            default=setting.default,
            show_default=True,
            type=type(setting.default),
            help=setting.metadata["meaning"],
        )(command)
    return command


def _data_options(command: Callable[..., None]) -> Callable[..., None]:
    for option in (
        click.option(
            "--metrics-out", type=click.Path(path_type=Path), help="Also write the JSON line here."
        ),
        click.option("--threads", type=int, help="CPU threads; as many as there are if not given."),
        click.option("--min-rating", type=float, help="Rows rated lower are no interactions."),
        click.option("--data", required=True, help=DATA_HELP),
    ):
        command = option(command)
    return command


@main.command()
@_data_options
@click.option("--model-out", type=click.Path(path_type=Path), help="Folder to save the model in.")
@click.option(
    "--split-seed", default=0, show_default=True, type=click.IntRange(0), help="Seed of the split."
)
@_hyperparameter_options
def train(
    *,
    data: str,
    min_rating: float | None,
    threads: int | None,
    metrics_out: Path | None,
    model_out: Path | None,
    split_seed: int,
    **hyperparameters: Any,
) -> None:
    """Train a model and print its validation metrics.

    The test interactions are split off and not looked at.
    """
    Hyperparameters(**hyperparameters)  # refuses bad values before torch is imported
    split = _split(data, min_rating, split_seed)
    _use_threads(threads)
    from cmn.recommender import CMN  # noqa: PLC0415  imports torch

    model = CMN(**hyperparameters)
    with _Progress(model) as progress:
        model.fit(split.train, split.validation, progress.report)
    if model_out is not None:
        notes = {"data": data, "min_rating": min_rating, "split_seed": split_seed}
        model.save(model_out, notes)
    metrics = {name: model.validation_metrics_[name] for name in ("ndcg@10", "hr@10")}
    _emit({**metrics, "epoch": model.best_epoch_, "fit_seconds": model.fit_seconds_}, metrics_out)


@main.command()
@_data_options
@click.option("--model", type=click.Path(path_type=Path), help="Folder of a trained model.")
@click.option(
    "--baseline", type=click.Choice(["popularity", "item-knn"]), help="Fit and evaluate this."
)
@click.option(
    "--split",
    "part",
    type=click.Choice(["validation", "test"]),
    default="validation",
    show_default=True,
)
@click.option(
    "--split-seed", type=click.IntRange(0), help="Seed of the split; a model has its own."
)
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
) -> None:
    """Print the metrics of a trained model or of a baseline.

    Full ranking, seen items masked; on a published test set also its sampled protocol.
    """
    if (model is None) == (baseline is None):
        raise ParameterError("model and baseline are both or neither given; exactly one is needed")
    from cmn.evaluation import evaluate as measure  # noqa: PLC0415  imports scipy

    if model is not None:
        _use_threads(threads)
        from cmn.recommender import CMN  # noqa: PLC0415  imports torch

        scorer: Any = CMN.load(model)
        seed = scorer.notes_.get("split_seed", 0)
        if split_seed not in (None, seed):
            raise ParameterError(f"split_seed is {split_seed}; the model was trained with {seed}")
        split = _split(data, min_rating, seed)
        if (
            split.train.shape != scorer.train_matrix.shape
            or (split.train != scorer.train_matrix).nnz
        ):
            raise ModelFileError(
                f"model {str(model)!r} was trained on other interactions than the training part of"
                f" {data!r}; give the data (and min_rating) it was trained with"
            )
    else:
        split = _split(data, min_rating, split_seed or 0)
        scorer = _baseline(baseline).fit(split.train)
    held_out, seen = (
        (split.test, split.known) if part == "test" else (split.validation, split.train)
    )
    _emit(measure(scorer, held_out, seen), metrics_out)


def _baseline(name: str | None) -> Any:
    if name == "popularity":
        from cmn.baselines.popularity import Popularity  # noqa: PLC0415  imports scipy

        return Popularity()
    from cmn.baselines.item_knn import ItemKNN  # noqa: PLC0415  imports scipy

    return ItemKNN()


def _split(data: str, min_rating: float | None, seed: int) -> Split:
    from cmn.datasets import load_dataset  # noqa: PLC0415  imports scipy
    from cmn.splits import split_dataset  # noqa: PLC0415

    return split_dataset(load_dataset(data, min_rating), seed)


def _use_threads(threads: int | None) -> None:
    if threads is None:
        return
    if threads < 1:
        raise ParameterError(f"threads is {threads}; at least 1 is allowed")
    import torch  # noqa: PLC0415  slow to import

    torch.set_num_threads(threads)


class _Progress:
    """Epochs as a bar on a terminal, as plain lines elsewhere; always on stderr."""

    def __init__(self, settings: Hyperparameters) -> None:
        from tqdm import tqdm  # noqa: PLC0415

        total = settings.pretrain_epochs + settings.epochs
        self._terminal = sys.stderr.isatty()
        self._bar = tqdm(total=total, unit="epoch", file=sys.stderr, disable=not self._terminal)

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def report(self, epoch: Epoch) -> None:
        line = (
            f"{epoch.phase} epoch {epoch.number}: loss {epoch.loss:.4f},"
            f" validation NDCG@10 {epoch.metrics['ndcg@10']:.4f},"
            f" HR@10 {epoch.metrics['hr@10']:.4f}, {epoch.seconds:.1f} s"
        )
        self._bar.update()
        if self._terminal:
            self._bar.set_postfix_str(line)
        else:
            click.echo(line, err=True)


def _emit(metrics: dict[str, float], path: Path | None) -> None:
    line = json.dumps(metrics)
    if path is not None:
        from cmn.model_files import write_atomically  # noqa: PLC0415  imports numpy

        write_atomically(path, f"{line}\n".encode())
    click.echo(line)
