"""Inputs: data sets, splits and trained models from what a command was given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cmn.errors import ModelFileError, ParameterError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from scipy import sparse

    from cmn.interactions import HeldOut, Interactions
    from cmn.recommender import CMN
    from cmn.splits import Split

USUAL = {"split_seed": 0, "split_by": "random"}


def load_split(
    data: str, min_rating: float | None, seed: int | None, by: str | None
) -> tuple[Split, Interactions]:
    """Returns a data set's split, and its interactions, whose ids the split's numbers stand for."""
    from cmn.datasets import load_dataset  # noqa: PLC0415  imports scipy
    from cmn.splits import split_dataset  # noqa: PLC0415

    dataset = load_dataset(data, min_rating)
    return split_dataset(dataset, seed or 0, by or "random"), dataset.interactions


def load_models_and_split(
    folders: Sequence[Path],
    data: str,
    min_rating: float | None,
    seed: int | None,
    by: str | None,
) -> tuple[list[CMN], Split]:
    """Loads models and makes the split that all of them were trained on."""
    from cmn.recommender import CMN  # noqa: PLC0415  imports torch

    models = [CMN.load(folder) for folder in folders]
    wanted: dict[str, Any] = {"split_seed": seed, "split_by": by}
    for name, usual in USUAL.items():
        for model in models:
            its = model.notes_.get(name, usual)
            if wanted[name] is None:
                wanted[name] = its
            if wanted[name] != its:
                raise ParameterError(f"{name} is {wanted[name]}; the model was trained with {its}")
    split, _ = load_split(data, min_rating, wanted["split_seed"], wanted["split_by"])
    for folder, model in zip(folders, models, strict=True):
        matrix: Any = model.train_matrix
        if split.train.shape != matrix.shape or (matrix != split.train).nnz:
            raise ModelFileError(
                f"model {str(folder)!r} was trained on other interactions than the training part of"
                f" {data!r}; give the data (and min_rating) it was trained with"
            )
    return models, split


def held_out_part(
    split: Split, part: str, rivals: int | None, by: str
) -> tuple[HeldOut, sparse.csr_array]:
    """Returns what is held out, perhaps with sampled rivals, and what to mask."""
    from cmn.splits import with_rivals  # noqa: PLC0415  imports scipy

    held_out, seen = split.part(part)
    return (held_out if rivals is None else with_rivals(held_out, seen, rivals, by)), seen


def ids_from_text(field: str, texts: Sequence[str], known: NDArray[Any]) -> NDArray[Any]:
    """Returns ids typed as text as ids of the known ones' type.

    Raises:
        ParameterError: the known ids are numbers and a text is none.
    """
    import numpy as np  # noqa: PLC0415  slow to import

    if known.dtype == object:
        return np.array([*texts, None], dtype=object)[:-1]
    try:
        return np.array(texts).astype(known.dtype)
    except (ValueError, OverflowError) as error:
        raise ParameterError(
            f"{field} is {', '.join(texts)}; the model's {field} are of type {known.dtype}"
        ) from error


def check_plot(plot: Path | None) -> None:
    """Finds out before any work whether a picture could be written.

    Raises:
        ParameterError: the ending is no picture's, or there is no such folder.
    """
    if plot is not None and (
        plot.suffix not in {".png", ".svg", ".pdf"} or not plot.parent.is_dir()
    ):
        raise ParameterError(
            f"plot is {str(plot)!r}; a file in an existing folder is allowed, ending in .png, .svg"
            " or .pdf"
        )


def use_threads(threads: int | None) -> None:
    """Limits torch's threads, if a number is given."""
    if threads is None:
        return
    if threads < 1:
        raise ParameterError(f"threads is {threads}; at least 1 is allowed")
    import torch  # noqa: PLC0415  slow to import

    torch.set_num_threads(threads)
