"""`orchestrate init`: writes an experiment file, by flags or by asking."""

import re
import sys
from pathlib import Path
from typing import Any

import click
import yaml

from sigopt_orchestrate.cli.options import json_option
from sigopt_orchestrate.cli.views import print_json
from sigopt_orchestrate.errors import SpecError
from sigopt_orchestrate.spec import parse_experiment

_RANGE = re.compile(r"([^.\s:]\S*?)\.\.([^\s:]+?)(:log)?")
_HEAD = """\
# {parameter} in the command stands for the trial's value, and the README has a section on all keys.
"""


@click.command("init")
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path, dir_okay=False),
    default="experiment.yml",
    show_default=True,
    help="The file to write.",
)
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@click.option("--name", help="What to call the experiment [default: the folder's name].")
@click.option("--command", "command_line", help="A shell line; {parameter} stands for a value.")
@click.option(
    "--parameter",
    "-p",
    "parameters",
    multiple=True,
    metavar="NAME=RANGE",
    help="rate=1e-5..1:log, depth=1..8 or kind=plain,gated; may be given again.",
)
@click.option(
    "--metric",
    "-m",
    "metrics",
    multiple=True,
    metavar="NAME[:OBJECTIVE]",
    help="accuracy, or loss:minimize; may be given again.",
)
@click.option("--budget", type=click.IntRange(min=1), help="How many observations in all.")
@click.option("--parallel", type=click.IntRange(min=1), help="How many trials at a time.")
@json_option
def init_command(
    *,
    output: Path,
    force: bool,
    name: str | None,
    command_line: str | None,
    parameters: tuple[str, ...],
    metrics: tuple[str, ...],
    budget: int | None,
    parallel: int | None,
    as_json: bool,
) -> None:
    """Write an experiment file.

    On a terminal it asks for what no option says. Elsewhere --command, --parameter and --metric
    are required.
    """
    if output.exists() and not force:
        raise SpecError(f"{output}: is there already; --force replaces it")
    asks = sys.stdin.isatty() and not as_json
    name = name or _ask(asks, "Name", Path.cwd().name)
    line = command_line or _ask(asks, "Command", None)
    parameters = parameters or _ask_many(asks, "Parameter (rate=1e-5..1:log, kind=a,b)")
    metrics = metrics or _ask_many(asks, "Metric (accuracy, loss:minimize)")
    budget = budget or int(_ask(asks, "Budget", 20) or 20)
    parallel = parallel or int(_ask(asks, "Trials at a time", 1) or 1)
    for option, given in (("--command", line), ("--parameter", parameters), ("--metric", metrics)):
        if not given:
            raise SpecError(f"{option}: is required where nobody can be asked")
    read = [_parameter(text) for text in parameters]
    named = {parameter["name"] for parameter in read}
    if line is not None and not any(f"{{{name}}}" in line for name in named):
        missing = f"--command: names none of {', '.join(sorted(named))} in braces"
        click.echo(f"note: {missing}; the program has to ask for them itself", err=True)
    keys: dict[str, Any] = {
        "name": name,
        "command": line,
        "parameters": read,
        "metrics": [_metric(text) for text in metrics],
        "budget": budget,
        "parallel": parallel,
    }
    text = _HEAD + yaml.safe_dump(keys, sort_keys=False, default_flow_style=None, width=100)
    parse_experiment(text, str(output))
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise SpecError(f"--output: {output} cannot be written: {error.strerror}") from None
    if as_json:
        print_json({"file": str(output)})
    else:
        click.echo(f"{output} is written; `orchestrate run {output}` runs it")


def _ask(asks: bool, question: str, default: Any) -> Any:
    return click.prompt(question, default=default, err=True) if asks else default


def _ask_many(asks: bool, question: str) -> tuple[str, ...]:
    """Asks until the answer is empty; what cannot be read is asked again."""
    given: list[str] = []
    reads = _parameter if question.startswith("Parameter") else _metric
    while asks:
        hint = question if not given else "Another, or Enter"
        answer = click.prompt(hint, default="" if given else None, err=True, show_default=False)
        if not answer:
            break
        try:
            reads(answer)
        except SpecError as error:
            click.echo(str(error), err=True)
            continue
        given.append(answer)
    return tuple(given)


def _parameter(text: str) -> dict[str, Any]:
    """Returns what `NAME=RANGE` means in an experiment file."""
    name, equals, rest = text.partition("=")
    name, rest = name.strip(), rest.strip()
    if equals and name and (match := _RANGE.fullmatch(rest)):
        low, high = _number(match[1], text), _number(match[2], text)
        whole = isinstance(low, int) and isinstance(high, int)
        parameter = {
            "name": name,
            "type": "int" if whole else "double",
            "bounds": {"min": low, "max": high},
        }
        return parameter | ({"transformation": "log"} if match[3] else {})
    values = [value.strip() for value in rest.split(",")]
    if equals and name and len(values) > 1 and all(values):
        return {"name": name, "type": "categorical", "categorical_values": values}
    raise SpecError(
        f"--parameter {text!r}: must be like rate=1e-5..1:log, depth=1..8 or kind=plain,gated"
    )


def _number(text: str, whole: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        raise SpecError(f"--parameter {whole!r}: {text!r} is not a number") from None


def _metric(text: str) -> dict[str, Any]:
    name, _, objective = text.partition(":")
    if not name or objective not in {"", "maximize", "minimize", "store"}:
        raise SpecError(
            f"--metric {text!r}: must be NAME, NAME:maximize, NAME:minimize or NAME:store"
        )
    if objective == "store":
        return {"name": name, "strategy": "store"}
    return {"name": name, "objective": objective or "maximize"}
