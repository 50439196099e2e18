"""Output: one JSON line, aligned tables, progress on stderr."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from cmn.early_stopping import Epoch
    from cmn.hyperparameters import Hyperparameters


def emit(values: object, path: Path | None = None) -> None:
    """Prints values as one JSON line and also writes it to a path, if there is one."""
    line = json.dumps(values)
    if path is not None:
        from cmn.atomic_files import write_atomically  # noqa: PLC0415

        write_atomically(path, f"{line}\n".encode())
    click.echo(line)


def columns(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Returns lines whose cells stand below each other, the first column to the left."""
    table = [list(heading), *(list(row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if place == 0 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in table
    )


def say(sentence: str) -> None:
    """Tells progress, on stderr."""
    click.echo(sentence, err=True)


class FitProgress:
    """Epochs as a bar on a terminal, as plain lines elsewhere; always on stderr."""

    def __init__(self, settings: Hyperparameters) -> None:
        from tqdm import tqdm  # noqa: PLC0415

        total = settings.pretrain_epochs + settings.epochs
        self._terminal = sys.stderr.isatty()
        self._bar = tqdm(total=total, unit="epoch", file=sys.stderr, disable=not self._terminal)

    def __enter__(self) -> FitProgress:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def report(self, epoch: Epoch) -> None:
        """Hears of an epoch."""
        line = (
            f"{epoch.phase} epoch {epoch.number}: loss {epoch.loss:.4f},"
            f" validation NDCG@10 {epoch.metrics['ndcg@10']:.4f},"
            f" HR@10 {epoch.metrics['hr@10']:.4f}, {epoch.seconds:.1f} s"
        )
        self._bar.update()
        if self._terminal:
            self._bar.set_postfix_str(line)
        else:
            say(line)


class ByteProgress:
    """Bytes of downloads as a bar on a terminal, one line a file elsewhere; on stderr."""

    def __init__(self) -> None:
        self._file: str | None = None
        self._terminal = sys.stderr.isatty()

    def report(self, file: str, had: int, size: int) -> None:
        """Hears of the bytes had of a file."""
        if self._terminal:
            of = f" of {size / 1e6:.1f}" if size else ""
            click.echo(f"\r{file}: {had / 1e6:.1f}{of} MB ", nl=had == size, err=True)
        elif file != self._file:
            say(f"downloading {file}")
        self._file = file


def means_table(values: Mapping[str, float], intervals: Mapping[str, tuple[float, float]]) -> str:
    """Returns metrics with their 95 % intervals, where there are any, one a line."""
    rows = []
    for name, value in values.items():
        low_high = intervals.get(name)
        between = "" if low_high is None else f"{low_high[0]:.4f} to {low_high[1]:.4f}"
        rows.append([name, f"{value:.4f}", between])
    return columns(["metric", "mean", "95 % interval"], rows)
