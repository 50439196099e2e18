"""`bocl export`: one task without the learner."""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--task", type=int, required=True, help="Its number from 0.")
@click.option(
    "--format",
    "kind",
    default="pt2",
    show_default=True,
    type=click.Choice(["pt2", "onnx"]),
    help="A torch.export program, or ONNX.",
)
@click.option(
    "--out", type=click.Path(path_type=Path), help="File; FOLDER/task-N.FORMAT if not given."
)
def command(folder: Path, task: int, kind: str, out: Path | None) -> None:
    """Write one task of the run in FOLDER as a file that needs no bocl.

    It holds what the task's answers need and nothing of the others.
    """
    from bocl.export import TaskModule, export_onnx, export_program  # noqa: PLC0415  imports torch
    from bocl.learner import BOCL  # noqa: PLC0415

    network = BOCL.load(folder).fitted_network()
    module = TaskModule(network, task)
    path = out or folder / f"task-{task}.{kind}"
    path.parent.mkdir(parents=True, exist_ok=True)
    (export_onnx if kind == "onnx" else export_program)(network, task, path)
    click.echo(json.dumps({"file": str(path), "parameters": module.parameters_stored}))
