"""`cmn train`: fit a model and print its validation metrics."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from cmn.cli.inputs import load_split, use_threads
from cmn.cli.options import data_options, hyperparameter_options, split_options
from cmn.cli.output import FitProgress, emit
from cmn.errors import ParameterError
from cmn.hyperparameters import Hyperparameters


@click.command()
@data_options
@click.option("--model-out", type=click.Path(path_type=Path), help="Folder to save the model in.")
@click.option(
    "--checkpoint",
    type=click.Path(path_type=Path),
    help="Folder to keep the training's state in; killed and started again, it continues.",
)
@click.option(
    "--clock",
    type=click.Choice(["wall", "cpu"]),
    default="wall",
    show_default=True,
    help="What fit_seconds counts; the CPU's seconds hardly depend on other work on the machine.",
)
@split_options
@hyperparameter_options
def train(
    *,
    data: str,
    min_rating: float | None,
    threads: int | None,
    metrics_out: Path | None,
    model_out: Path | None,
    checkpoint: Path | None,
    clock: str,
    split_seed: int | None,
    split_by: str | None,
    **hyperparameters: Any,
) -> None:
    """Train a model and print its validation metrics.

    The test interactions are split off and not looked at.
    """
    settings = {name: value for name, value in hyperparameters.items() if value is not None}
    Hyperparameters(**settings)  # refuses bad values before torch is imported
    if model_out is not None and model_out.exists() and not model_out.is_dir():
        raise ParameterError(f"model_out is {str(model_out)!r}, a file; a folder is needed")
    split, interactions = load_split(data, min_rating, split_seed, split_by)
    use_threads(threads)
    from cmn.recommender import CMN  # noqa: PLC0415  imports torch

    model = CMN(**settings)
    learnt = replace(interactions, matrix=split.train, times=None)
    cpu_began = time.process_time()
    with FitProgress(model) as progress:
        model.fit(learnt, split.validation, progress.report, checkpoint)
    seconds = model.fit_seconds_ if clock == "wall" else time.process_time() - cpu_began
    if model_out is not None:
        notes = {
            "data": data,
            "min_rating": min_rating,
            "split_seed": split_seed or 0,
            "split_by": split_by or "random",
        }
        model.save(model_out, notes)
    metrics = {name: model.validation_metrics_[name] for name in ("ndcg@10", "hr@10")}
    emit({**metrics, "epoch": model.best_epoch_, "fit_seconds": seconds}, metrics_out)
