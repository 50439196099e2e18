"""`cmn recommend`, `cmn explain` and `cmn export`: what a trained model is for."""

from __future__ import annotations

import csv
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cmn.cli.inputs import check_plot, ids_from_text, use_threads
from cmn.cli.options import json_only, threads_option
from cmn.cli.output import columns, emit, say
from cmn.errors import ParameterError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from cmn.recommender import CMN

USERS_AT_A_TIME = 1024
_model_option = click.option(
    "--model", required=True, type=click.Path(path_type=Path), help="Folder of a trained model."
)


def _load(folder: Path, threads: int | None) -> CMN:
    use_threads(threads)
    from cmn.recommender import CMN  # noqa: PLC0415  imports torch

    return CMN.load(folder)


@click.command()
@_model_option
@click.option("--user", "users", multiple=True, help="A user's id; may be given several times.")
@click.option(
    "--users-from", type=click.Path(path_type=Path), help="A text file with one user's id a line."
)
@click.option("--all-users", is_flag=True, help="Every user the model knows.")
@click.option("-n", default=10, show_default=True, type=click.IntRange(1), help="Items for each.")
@click.option(
    "--items-from", type=click.Path(path_type=Path), help="A text file of the only items allowed."
)
@click.option("--with-seen", is_flag=True, help="Also items the user was trained on.")
@click.option(
    "--out", type=click.Path(path_type=Path), help="Write a .parquet or .csv instead of a table."
)
@threads_option
@json_only
def recommend(
    *,
    model: Path,
    users: tuple[str, ...],
    users_from: Path | None,
    all_users: bool,
    n: int,
    items_from: Path | None,
    with_seen: bool,
    out: Path | None,
    threads: int | None,
    json_only: bool,
) -> None:
    """Print each user's best items, or write them to a file."""
    given = sum([bool(users), users_from is not None, all_users])
    if given != 1:
        raise ParameterError(
            f"users are given in {given} ways; one of --user, --users-from, --all-users is needed"
        )
    if out is not None and out.suffix not in {".parquet", ".csv"}:
        raise ParameterError(f"out is {str(out)!r}; an ending of .parquet or .csv is allowed")
    fitted = _load(model, threads)
    known = fitted.interactions
    wanted: NDArray[Any] = known.user_ids
    if not all_users:
        texts = list(users) if users_from is None else _lines(users_from)
        wanted = ids_from_text("users", texts, known.user_ids)
    items = None
    if items_from is not None:
        items = ids_from_text("items", _lines(items_from), known.item_ids)
    table = _recommend(fitted, wanted, n, filter_seen=not with_seen, items=items, quiet=json_only)
    if out is not None:
        _write(out, table)
        emit({"out": str(out), "users": len(wanted), "rows": len(table["user"])})
        return
    from cmn.identifiers import plain  # noqa: PLC0415  imports numpy

    rows = list(zip(*(table[name].tolist() for name in table), strict=True))
    if not json_only:
        cells = [[str(u), str(i), str(rank), f"{score:.4f}"] for u, i, rank, score in rows]
        click.echo(columns(list(table), cells))
    emit(
        [
            {"user": plain(user), "item": plain(item), "rank": rank, "score": score}
            for user, item, rank, score in rows
        ]
    )


def _lines(path: Path) -> list[str]:
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    except UnicodeDecodeError as error:
        raise ParameterError(f"file {str(path)!r} is not UTF-8 text: {error}") from error
    return [line for line in lines if line]


def _recommend(
    fitted: CMN,
    users: NDArray[Any],
    n: int,
    *,
    filter_seen: bool,
    items: NDArray[Any] | None,
    quiet: bool,
) -> dict[str, NDArray[Any]]:
    """Returns recommendations as columns, in parts so that progress can be shown."""
    import numpy as np  # noqa: PLC0415  slow to import
    from tqdm import tqdm  # noqa: PLC0415

    from cmn.ranking import recommendation_columns  # noqa: PLC0415

    labels = fitted.interactions.user_ids
    parts = []
    hidden = quiet or not sys.stderr.isatty()
    with tqdm(total=len(users), unit="user", file=sys.stderr, disable=hidden) as bar:
        for start in range(0, max(1, len(users)), USERS_AT_A_TIME):
            some = users[start : start + USERS_AT_A_TIME]
            ids, scores = fitted.recommend(some, n, filter_seen, items)
            parts.append(recommendation_columns(labels, some, ids, scores))
            bar.update(len(some))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _write(path: Path, table: dict[str, NDArray[Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        from cmn.frames import write_parquet  # noqa: PLC0415  imports narwhals

        write_parquet(path, table)
        return
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(table)
        writer.writerows(zip(*(column.tolist() for column in table.values()), strict=True))


@click.command()
@_model_option
@click.option("--user", required=True, help="A user's id.")
@click.option("--item", help="An item's id; the user's best recommendation if not given.")
@click.option("--top", default=10, show_default=True, type=click.IntRange(1), help="Neighbours.")
@click.option("--plot", type=click.Path(path_type=Path), help="Also draw a heat map here (.png).")
@json_only
def explain(
    *, model: Path, user: str, item: str | None, top: int, plot: Path | None, json_only: bool
) -> None:
    """Print which neighbours spoke for an item, hop by hop, and what they share with the user."""
    check_plot(plot)
    fitted = _load(model, None)
    known = fitted.interactions
    (user_id,) = ids_from_text("user", [user], known.user_ids)
    if item is None:
        best, scores = fitted.recommend([user_id], n=1)
        if not math.isfinite(scores[0, 0]):
            raise ParameterError(f"user {user} has every item; name the item to explain")
        item_id: np.generic | str = best[0, 0]
    else:
        (item_id,) = ids_from_text("item", [item], known.item_ids)
    explanation = fitted.explain(user_id, item_id)
    if plot is not None:
        from cmn.plots import plot_attention  # noqa: PLC0415  imports numpy

        plot_attention(explanation, plot)
        say(f"drew {plot}")
    if not json_only:
        click.echo(explanation.text(top))
    emit(explanation.to_dict(top))


@click.command()
@_model_option
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder to write to.")
@click.option("-n", default=10, show_default=True, type=click.IntRange(1), help="Items of top-n.")
def export(*, model: Path, out: Path, n: int) -> None:
    """Write the model as ONNX: scorer.onnx, of pairs, and top_n.onnx, of the whole catalogue."""
    files = _load(model, None).export_onnx(out, n)
    emit({name: str(path) for name, path in files.items()})
