"""`orchestrate resume --all`: what was interrupted goes on, now and from now on."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import click

from sigopt_orchestrate.errors import StoreUnavailableError
from sigopt_orchestrate.lifecycle import ExperimentState
from sigopt_orchestrate.store import Store, has_leader

_LOOK_S = 5.0
_PAUSE_S = (10.0, 300.0)


class Keeper:
    """Goes on with every experiment that runs and that nobody leads, each in a process of its own.

    One that was stopped or paused, or that a Python program leads, is left alone.

    Args:
        store: Where the experiments are.
        arguments: By which a process finds the same store.
    """

    def __init__(self, store: Store, arguments: Sequence[str]) -> None:
        self._store = store
        self._arguments = arguments
        self._leaders: dict[int, subprocess.Popen[bytes]] = {}
        self._orphans: set[int] = set()
        self._not_before: dict[int, float] = {}
        self._pause_s: dict[int, float] = {}

    def look(self) -> None:
        """Takes over what nobody leads, and did not at the look before either.

        Whoever creates an experiment leads it a moment later, and is not to be raced.

        Raises:
            StoreUnavailableError: If the store is not to be had at present.
        """
        for number, leader in list(self._leaders.items()):
            if leader.poll() is not None:
                del self._leaders[number]
                self._be_patient(number)
        orphans = {
            record.id
            for record in self._store.experiments()
            if record.state is ExperimentState.RUNNING
            and not record.paused
            and record.spec.command is not None
            and record.id not in self._leaders
            and not has_leader(self._store, record.id)
        }
        for number in sorted(orphans & self._orphans):
            if time.monotonic() >= self._not_before.get(number, 0.0):
                self._lead(number)
        self._orphans = orphans

    def close(self) -> None:
        """Kills the leaders: their trials run on, and whoever comes next takes them over."""
        for leader in self._leaders.values():
            leader.kill()
        for leader in self._leaders.values():
            leader.wait()

    def _lead(self, number: int) -> None:
        click.echo(f"experiment {number} was interrupted; going on with it")
        line = [sys.executable, "-m", "sigopt_orchestrate", "resume", str(number)]
        self._leaders[number] = subprocess.Popen(
            [*line, *self._arguments], stdin=subprocess.DEVNULL
        )

    def _be_patient(self, number: int) -> None:
        """Does not try the same again and again without a pause, each twice as long."""
        pause_s = self._pause_s.get(number, _PAUSE_S[0])
        self._not_before[number] = time.monotonic() + pause_s
        self._pause_s[number] = min(_PAUSE_S[1], 2 * pause_s)


def keep_all(home: Path, url: str | None) -> None:
    """Keeps all experiments of a store going until this process is asked to end."""
    over = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: over.set())
    keeper = Keeper(Store(home, url), ["--home", str(home), *(["--store", url] if url else [])])
    click.echo("waiting for experiments that are interrupted")
    try:
        while not over.is_set():
            try:
                keeper.look()
            except StoreUnavailableError as error:
                click.echo(f"waiting for the store: {error}", err=True)
            over.wait(_LOOK_S)
    finally:
        keeper.close()
