"""Command line: `cmn train`, `cmn evaluate` and `cmn compare`.

The last line of stdout is one JSON object; progress goes to stderr.
"""

from __future__ import annotations

import json
import sys
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cmn.baselines import BASELINES, make_baseline
from cmn.errors import CMNError, ModelFileError, ParameterError
from cmn.hyperparameters import Hyperparameters, protocol_value

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from cmn.early_stopping import Epoch
    from cmn.recommender import CMN
    from cmn.splits import Split

DATA_HELP = "movielens-small, citeulike-a, or a file: .csv, .parquet, .npz"
_NAMES = ", ".join(BASELINES)


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
        usual = protocol_value(setting)
        if isinstance(usual, bool):
            flag = f"{flag}/--no-{flag[2:]}"
        choices = setting.metadata.get("choices")
        command = click.option(
            flag,
            setting.name,
            default=None,
            type=click.Choice(choices) if choices else type(usual),
            help=f"{setting.metadata['meaning']}  [default: {usual}]",
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


def _part_options(command: Callable[..., None]) -> Callable[..., None]:
    parts = click.Choice(["validation", "test"])
    seed_help = "Seed of the split; a model has its own."
    for option in (
        click.option("--split-seed", type=click.IntRange(0), help=seed_help),
        click.option("--split", "part", type=parts, default="validation", show_default=True),
    ):
        command = option(command)
    return command


@main.command()
@_data_options
@click.option("--model-out", type=click.Path(path_type=Path), help="Folder to save the model in.")
@click.option(
    "--checkpoint",
    type=click.Path(path_type=Path),
    help="Folder to keep the training's state in; killed and started again, it continues.",
)
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
    checkpoint: Path | None,
    split_seed: int,
    **hyperparameters: Any,
) -> None:
    """Train a model and print its validation metrics.

    The test interactions are split off and not looked at.
    """
    settings = {name: value for name, value in hyperparameters.items() if value is not None}
    Hyperparameters(**settings)  # refuses bad values before torch is imported
    split = _split(data, min_rating, split_seed)
    _use_threads(threads)
    from cmn.recommender import CMN  # noqa: PLC0415  imports torch

    model = CMN(**settings)
    with _Progress(model) as progress:
        model.fit(split.train, split.validation, progress.report, checkpoint)
    if model_out is not None:
        notes = {"data": data, "min_rating": min_rating, "split_seed": split_seed}
        model.save(model_out, notes)
    metrics = {name: model.validation_metrics_[name] for name in ("ndcg@10", "hr@10")}
    _emit({**metrics, "epoch": model.best_epoch_, "fit_seconds": model.fit_seconds_}, metrics_out)


@main.command()
@_data_options
@click.option("--model", type=click.Path(path_type=Path), help="Folder of a trained model.")
@click.option("--baseline", type=click.Choice(BASELINES), help="Fit and evaluate this.")
@_part_options
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

    scorer: Any
    if model is not None:
        _use_threads(threads)
        (scorer,), split = _models_and_split([model], data, min_rating, split_seed)
    else:
        split = _split(data, min_rating, split_seed or 0)
        scorer = make_baseline(baseline or "").fit(split.train)
    _emit(measure(scorer, *split.part(part)), metrics_out)


@main.command()
@_data_options
@click.option(
    "--model",
    "models",
    type=click.Path(path_type=Path),
    multiple=True,
    help="Folder of a trained model; may be given several times.",
)
@click.option("--only", help=f"Baselines, separated by commas; all if not given: {_NAMES}.")
@_part_options
def compare(
    *,
    data: str,
    min_rating: float | None,
    threads: int | None,
    metrics_out: Path | None,
    models: tuple[Path, ...],
    only: str | None,
    part: str,
    split_seed: int | None,
) -> None:
    """Fit every baseline and measure them and trained models on one split.

    A table; then one JSON object of each one's metrics by name, a model's name being its folder.
    A baseline that cannot be fitted to the data is left out and the reason printed.
    """
    baselines = BASELINES if only is None else tuple(name.strip() for name in only.split(","))
    peers = {name: make_baseline(name) for name in baselines}
    from cmn.compare import compare as measure  # noqa: PLC0415  imports scipy
    from cmn.compare import table  # noqa: PLC0415

    scorers: list[CMN] = []
    if models:
        _use_threads(threads)
        scorers, split = _models_and_split(models, data, min_rating, split_seed)
    else:
        split = _split(data, min_rating, split_seed or 0)
    trained = {str(folder): scorer for folder, scorer in zip(models, scorers, strict=True)}
    metrics, skipped = measure(
        peers, trained, split, part, lambda name: click.echo(f"measuring {name}", err=True)
    )
    click.echo(table(metrics))
    for name, reason in skipped.items():
        click.echo(f"{name} is left out: {reason}")
    _emit(metrics, metrics_out)


def _models_and_split(
    folders: Sequence[Path], data: str, min_rating: float | None, split_seed: int | None
) -> tuple[list[CMN], Split]:
    """Loads models and makes the split that all of them were trained on."""
    from cmn.recommender import CMN  # noqa: PLC0415  imports torch

    models = [CMN.load(folder) for folder in folders]
    for model in models:
        seed = model.notes_.get("split_seed", 0)
        if split_seed is None:
            split_seed = seed
        if split_seed != seed:
            raise ParameterError(f"split_seed is {split_seed}; the model was trained with {seed}")
    split = _split(data, min_rating, split_seed or 0)
    for folder, model in zip(folders, models, strict=True):
        matrix: Any = model.train_matrix
        if split.train.shape != matrix.shape or (matrix != split.train).nnz:
            raise ModelFileError(
                f"model {str(folder)!r} was trained on other interactions than the training part of"
                f" {data!r}; give the data (and min_rating) it was trained with"
            )
    return models, split


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


def _emit(metrics: Mapping[str, object], path: Path | None) -> None:
    line = json.dumps(metrics)
    if path is not None:
        from cmn.atomic_files import write_atomically  # noqa: PLC0415

        write_atomically(path, f"{line}\n".encode())
    click.echo(line)
