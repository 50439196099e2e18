"""`bocl compare`: methods side by side on one stream."""

from __future__ import annotations

import json
from pathlib import Path

import click

from bocl.cli.run import STREAMS

DEFAULT = "bocl,fine-tune,ewc,separate,equal-size,packnet,progressive,joint"


@click.command()
@click.option("--stream", default="permuted-digits", show_default=True, type=click.Choice(STREAMS))
@click.option("--tasks", type=int, help="How many; the stream's usual number if not given.")
@click.option("--methods", default=DEFAULT, show_default=True, help="Names, separated by commas.")
@click.option("--seeds", default=1, show_default=True, type=click.IntRange(1), help="Seeds 0 ...")
@click.option(
    "--out",
    default="comparison",
    show_default=True,
    type=click.Path(path_type=Path),
    help="Folder of outcomes.jsonl and comparison.html; what is there is not measured again.",
)
@click.option("--epochs", type=click.IntRange(1), help="Of every training but those of paper.")
@click.option(
    "--total",
    type=click.FloatRange(min=0, min_open=True),
    default=2.0,
    show_default=True,
    help="Times one plain network that equal-size networks may have together, without bocl.",
)
@click.option("--threads", type=click.IntRange(1), help="CPU threads; torch's choice if not given.")
def command(
    *,
    stream: str,
    tasks: int | None,
    methods: str,
    seeds: int,
    out: Path,
    epochs: int | None,
    total: float,
    threads: int | None,
) -> None:
    """Learn a stream with several METHODS: same trunk, same schedule, same seeds.

    Prints a table and writes a page. `equal-size` gets as many parameters as bocl ended with, if
    bocl comes before it.
    """
    import torch  # noqa: PLC0415

    from bocl import files  # noqa: PLC0415
    from bocl.comparing import compare  # noqa: PLC0415
    from bocl.comparison import Outcomes, markdown  # noqa: PLC0415
    from bocl.report import comparison_page  # noqa: PLC0415

    if threads is not None:
        torch.set_num_threads(threads)
    names = [name.strip() for name in methods.split(",") if name.strip()]
    outcomes = Outcomes(out / "outcomes.jsonl")
    rows = compare(
        stream,
        names,
        outcomes,
        tasks=tasks,
        seeds=range(seeds),
        total=total,
        report=lambda line: click.echo(line, err=True),
        **({} if epochs is None else {"epochs": epochs}),
    )
    page = out / "comparison.html"
    files.write(page, comparison_page(f"{stream}: {len(names)} methods", rows).encode())
    click.echo(markdown(rows), err=True)
    found = {row[0].method: [outcome.accuracy for outcome in row] for row in rows}
    click.echo(json.dumps({"accuracy": found, "report": str(page)}))
