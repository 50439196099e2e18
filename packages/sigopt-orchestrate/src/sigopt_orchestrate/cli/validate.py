"""`orchestrate validate`."""

import json
import sys
from pathlib import Path
from typing import Any

import click

from sigopt_orchestrate.cli.options import json_option
from sigopt_orchestrate.cli.running import check_runnable
from sigopt_orchestrate.cli.views import print_json
from sigopt_orchestrate.errors import SpecError
from sigopt_orchestrate.spec import load_experiment


@click.command("validate")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, dir_okay=False))
@json_option
def validate_command(files: tuple[Path, ...], *, as_json: bool) -> None:
    """Check experiment FILES as `run` would, and run nothing.

    With --json, prints each file's experiment with all defaults filled in, or what is wrong.
    """
    views: list[dict[str, Any]] = []
    for file in files:
        view: dict[str, Any] = {"file": str(file), "valid": True, "error": None}
        try:
            spec = load_experiment(file)
            check_runnable(spec, file.absolute().parent, str(file))
            view["experiment"] = json.loads(spec.model_dump_json(by_alias=True))
        except SpecError as error:
            view |= {"valid": False, "error": str(error)}
        views.append(view)
    if as_json:
        print_json(views)
    else:
        for view in views:
            valid = view["valid"]
            said = f"{view['file']}: valid" if valid else f"orchestrate: {view['error']}"
            click.echo(said, err=not valid)
    if not all(view["valid"] for view in views):
        sys.exit(2)
