"""`orchestrate logs`."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sigopt_orchestrate.cli.options import (
    NUMBER,
    chosen,
    experiment_argument,
    home_option,
    json_option,
    store_option,
)
from sigopt_orchestrate.cli.views import print_json
from sigopt_orchestrate.errors import StoreError
from sigopt_orchestrate.store import AttemptFolder, ExperimentRecord, Store, has_leader

if TYPE_CHECKING:
    from sigopt_orchestrate.artifacts.reading import Shelf

_POLL_S = 0.25


@click.command("logs")
@experiment_argument
@click.option("--trial", type=NUMBER, help="Only this trial's.")
@click.option("--follow", "-f", is_flag=True, help="Go on until the experiment has ended.")
@home_option
@store_option
@json_option
def logs_command(
    *,
    experiment: int | None,
    trial: int | None,
    follow: bool,
    home: Path,
    url: str | None,
    as_json: bool,
) -> None:
    """Print what the trials of an experiment, the newest by default, wrote.

    Each line begins with its trial's number, unless one trial is chosen. What another machine has
    run is brought from the file's `artifacts`.
    """
    store = Store.existing(home, url)
    record = chosen(store, experiment)
    folder = store.home.experiment(record.id)
    if trial is not None and trial > (count := len(store.trials(record.id))):
        raise StoreError(f"--trial {trial}: experiment {record.id} has {count} trials")
    hidden = [value for name in record.spec.secrets if (value := os.environ.get(name))]
    restored = _Restorer(record)
    tails: dict[tuple[int, int], Tail] = {}
    seen = 0
    while True:
        live = follow and has_leader(store, record.id)
        moved, seen = store.moved_trials(record.id, seen)
        for one in moved:
            if trial in {None, one.number}:
                for attempt in range(1, one.attempt + 1):
                    files = folder.attempt(one.number, attempt)
                    if not live and not files.root.exists():  # another machine has run it
                        restored.bring(files)
                    tails.setdefault((one.number, attempt), Tail(files))
        for number, attempt in sorted(tails):
            for line in tails[number, attempt].lines(final=not live):
                for value in hidden:  # in a finished trial's log they are overwritten
                    line = line.replace(value, "*" * len(value))  # noqa: PLW2901
                _print_line(line, number, attempt, prefix=trial is None, as_json=as_json)
        if not live:
            return
        time.sleep(_POLL_S)


class _Restorer:
    """Brings logs back from the experiment's bucket, if it has one."""

    def __init__(self, record: ExperimentRecord) -> None:
        self._record = record
        self._shelf: Shelf | None = None

    def bring(self, files: AttemptFolder) -> None:
        """Brings one attempt's."""
        if self._record.spec.artifacts is None:
            return
        if self._shelf is None:
            from sigopt_orchestrate.artifacts.reading import Shelf  # noqa: PLC0415 - boto3

            self._shelf = Shelf(self._record)
        self._shelf.restore_logs(files)


class Tail:
    """A log that may still grow, and may be cut meanwhile, read line by line."""

    def __init__(self, files: AttemptFolder) -> None:
        self._files = files
        self._inode: int | None = None
        self._offset = 0
        self._rest = b""

    def lines(self, *, final: bool) -> Iterator[str]:
        """Yields the lines that have come since the last call; `final` also an unended one."""
        *whole, self._rest = (self._rest + self._grown()).split(b"\n")
        if final and self._rest:
            whole, self._rest = [*whole, self._rest], b""
        yield from (line.decode(errors="replace") for line in whole)

    def _grown(self) -> bytes:
        """Returns what has come since the last call."""
        try:
            with self._files.log.open("rb") as log:
                inode, before = os.fstat(log.fileno()).st_ino, b""
                if inode != self._inode:  # it was cut, or this is the first look
                    older = self._older()
                    before = older[self._offset :]
                    self._offset = max(0, self._offset - len(older))
                    self._inode = inode
                log.seek(self._offset)
                grown = log.read()
        except FileNotFoundError:
            return b""
        self._offset += len(grown)
        return before + grown

    def _older(self) -> bytes:
        try:
            return self._files.older_log.read_bytes()
        except FileNotFoundError:
            return b""


def _print_line(line: str, trial: int, attempt: int, *, prefix: bool, as_json: bool) -> None:
    if as_json:
        print_json({"trial": trial, "attempt": attempt, "line": line})
    else:
        click.echo(f"{trial:>4} | {line}" if prefix else line)
