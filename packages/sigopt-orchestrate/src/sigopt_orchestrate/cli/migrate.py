"""`orchestrate migrate`."""

from pathlib import Path
from typing import Any

import click
import yaml

from sigopt_orchestrate.cli.options import json_option
from sigopt_orchestrate.cli.views import print_json
from sigopt_orchestrate.errors import SpecError
from sigopt_orchestrate.interchange.old_cluster import migrate_cluster
from sigopt_orchestrate.interchange.old_files import kind_of, migrate_files, read_yaml, written
from sigopt_orchestrate.spec import parse_experiment


@click.command("migrate")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The file to write [default: migrated.yml, for a cluster cluster-plan.yml].",
)
@click.option("--command", help="A shell line, where the old files name none.")
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@json_option
def migrate_command(
    files: tuple[Path, ...],
    *,
    output: Path | None,
    command: str | None,
    force: bool,
    as_json: bool,
) -> None:
    """Turn the old tools' FILES into one of ours, and say what changes.

    Takes an `orchestrate.yml`; or a `run.yml` and an `experiment.yml`, in any order; or a
    `cluster.yml`. The old files stay as they are.
    """
    read = {path: read_yaml(path) for path in files}
    clusters = [path for path, data in read.items() if kind_of(data) == "cluster"]
    if clusters and len(read) > 1:
        raise SpecError(f"{clusters[0]}: a cluster.yml is migrated by itself")
    target = output or Path("cluster-plan.yml" if clusters else "migrated.yml")
    if target.exists() and not force:
        raise SpecError(f"{target}: is there already; --force replaces it, -o names another")
    if clusters:
        cluster = migrate_cluster(read[clusters[0]], str(clusters[0]))
        keys = cluster.plan.model_dump(exclude_none=True)
        _write(target, yaml.safe_dump(keys, sort_keys=False), keys, cluster.notes, as_json=as_json)
        return
    done = migrate_files(read, command)
    text = written(done)
    if "command" in done.keys:
        parse_experiment(text, str(target))
    _write(target, text, done.keys, done.notes, as_json=as_json)


def _write(
    target: Path, text: str, keys: dict[str, Any], notes: list[str], *, as_json: bool
) -> None:
    target.write_text(text, encoding="utf-8")
    if as_json:
        print_json({"file": str(target), "notes": notes, "written": keys})
        return
    for note in notes:
        click.echo(f"- {note}", err=True)
    click.echo(target)
