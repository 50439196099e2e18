"""`bocl run`: learn a stream's tasks one after another."""

from __future__ import annotations

import json
import sys
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bocl.settings import PROTOCOLS, Settings, settings_of

if TYPE_CHECKING:
    from collections.abc import Callable

STREAMS = (
    "permuted-digits",
    "permuted-mnist",
    "rotated-mnist",
    "mnist-mix",
    "five-mix",
    "split-mnist",
    "split-cifar100",
    "superclass-cifar100",
)


def _widths(_: click.Context, option: click.Parameter, value: str | None) -> tuple[int, ...] | None:
    if value is None:
        return None
    try:
        return tuple(int(part) for part in value.split("-"))
    except ValueError:
        raise click.BadParameter(f"{option.name} is {value!r}; give widths as 312-128") from None


def setting_options(command: Callable[..., None]) -> Callable[..., None]:
    """Adds one option per setting; those not given keep the protocol's value."""
    for setting in reversed(fields(Settings)):
        flag = f"--{setting.name.replace('_', '-')}"
        meaning = setting.metadata["meaning"]
        if setting.name in ("base", "largest"):
            extra: dict[str, Any] = {"callback": _widths, "metavar": "N-N"}
        elif isinstance(setting.default, bool):
            flag, extra = f"{flag}/--no-{flag[2:]}", {}
        else:
            extra = {"type": type(setting.default)}
        command = click.option(flag, setting.name, default=None, help=meaning, **extra)(command)
    return command


@click.command()
@click.option("--stream", default="permuted-digits", show_default=True, type=click.Choice(STREAMS))
@click.option("--tasks", type=int, help="How many; the stream's usual number if not given.")
@click.option("--protocol", default="best", show_default=True, type=click.Choice(PROTOCOLS))
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Folder of the run; runs/STREAM-SEED if not given. A run already there goes on.",
)
@click.option("--threads", type=click.IntRange(1), help="CPU threads; torch's choice if not given.")
@click.option(
    "--judge",
    type=click.Choice(("test", "held-out")),
    default="test",
    show_default=True,
    help="What accuracies are of: test samples, or, to choose settings by, a fifth of the training "
    "samples that the learner does not see.",
)
@click.option(
    "--metrics-out",
    type=click.Path(path_type=Path),
    help="Also append a JSON line to this file: accuracy, size and cpu_seconds.",
)
@click.option("--routing-test/--no-routing-test", default=True, help="Also test without task ids.")
@setting_options
def command(
    *,
    stream: str,
    tasks: int | None,
    protocol: str,
    out: Path | None,
    threads: int | None,
    judge: str,
    metrics_out: Path | None,
    routing_test: bool,
    **changes: Any,
) -> None:
    """Learn a stream's tasks, test after each, and certify that none is forgotten.

    Stopped at any moment, the same command goes on and ends with the same weights.
    """
    given = {name: value for name, value in changes.items() if value is not None}
    from bocl.streams.registry import STREAMS as KINDS  # noqa: PLC0415  imports torch

    kind = KINDS[stream]
    given.setdefault("trunk", kind.trunk)
    for name, value in kind.settings.items():
        if protocol == "best":
            given.setdefault(name, value)
    settings = settings_of(protocol, **given)  # refuses bad values before data are read
    folder = out or Path("runs") / f"{stream}-{settings.seed}"
    _use_threads(threads)
    held_out = judge == "held-out"
    results = _learn(folder, stream, tasks, protocol, given, held_out=held_out)
    if routing_test and settings.routing:
        results = _test_routing(folder, stream, results, held_out=held_out)
    from bocl.report import write_run_page  # noqa: PLC0415  imports matplotlib

    page = write_run_page(folder)
    click.echo(f"certificates: bocl verify {folder}", err=True)
    found = summary(results)
    if metrics_out is not None:
        with metrics_out.open("a", encoding="utf-8") as file:
            file.write(json.dumps(costed(found)) + "\n")
    click.echo(json.dumps(found | {"folder": str(folder), "report": str(page)}))


def _learn(
    folder: Path,
    stream: str,
    tasks: int | None,
    protocol: str,
    given: dict[str, Any],
    *,
    held_out: bool,
) -> dict[str, Any]:
    from tqdm import tqdm  # noqa: PLC0415

    from bocl.running import run_stream  # noqa: PLC0415
    from bocl.streams.registry import STREAMS as KINDS  # noqa: PLC0415

    with tqdm(total=tasks or KINDS[stream].tasks, unit="task", disable=None) as bar:

        def finished(index: int, total: int, results: dict[str, Any]) -> None:
            bar.total, bar.n = total, index + 1
            bar.refresh()
            accuracy, size = results["metrics"]["accuracy"], results["size"]
            tqdm.write(
                f"task {index}: {100 * results['rows'][index][index]:.2f} %, mean "
                f"{100 * accuracy:.2f} %, forgetting {results['metrics']['forgetting']:.4f}, "
                f"{size:.2f} x the first task's parameters",
                file=sys.stderr,
            )

        return run_stream(
            folder,
            stream,
            tasks,
            protocol=protocol,
            held_out=held_out,
            report=bar.set_postfix_str,
            finished=finished,
            **given,
        )


def _test_routing(
    folder: Path, stream: str, results: dict[str, Any], *, held_out: bool
) -> dict[str, Any]:
    from bocl import files  # noqa: PLC0415
    from bocl.learner import BOCL  # noqa: PLC0415
    from bocl.running import RESULTS, judge_routing, open_stream  # noqa: PLC0415

    if "routing" not in results:
        learner = BOCL.load(folder)
        tasks, seed = len(results["rows"]), learner.settings.seed
        results["routing"] = judge_routing(
            learner, open_stream(stream, tasks, seed, held_out=held_out)
        )
        files.write_json(folder / RESULTS, results)
    return results


def summary(results: dict[str, Any]) -> dict[str, Any]:
    """Returns what a script wants to know of a run."""
    names = ("size", "bytes", "moment_bytes", "search_seconds", "training_seconds")
    return (
        results["metrics"]
        | {name: results[name] for name in names}
        | {"trials": sum(results["trials"])}
        | results.get("routing", {})
    )


def costed(found: dict[str, Any]) -> dict[str, float]:
    """Returns what a tuner weighs: how good, how large, and how many CPU seconds it took."""
    seconds = found["search_seconds"] + found["training_seconds"]
    return {"accuracy": found["accuracy"], "size": found["size"], "cpu_seconds": seconds}


def _use_threads(threads: int | None) -> None:
    if threads is not None:
        import torch  # noqa: PLC0415

        torch.set_num_threads(threads)
