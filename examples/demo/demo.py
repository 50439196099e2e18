"""`make demo`: orchestrate tunes the other three packages behind one server, then reads test sets.

Each experiment is a file beside this one; all packages are used as any program is: by their command
lines. Trials see validation only. The test sets are read at the end, once for each: the best trial,
the defaults, and what is simpler. Stopped or killed, it goes on when started again; an experiment
that is older than its file is run anew.
"""

import argparse
import contextlib
import ctypes
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

HERE = Path(__file__).resolve().parent
PORT = 8700
READY_S = 300
PR_SET_PDEATHSIG = 1

Values = Mapping[str, Any]


@dataclass(frozen=True)
class Subject:
    """An experiment of the demo, and how a test set is read for it.

    Attributes:
        file: The experiment file.
        test: Prints, as JSON on its last line, the test metrics of the trial whose output folder
            stands for `{output}`.
        simpler: By its name, prints the metrics of something without parameters on the `{split}`
            `validation` or `test`.
    """

    file: Path
    test: str
    simpler: Mapping[str, str] = field(default_factory=dict)


_CMN = "cmn evaluate --data movielens-small --threads 1 --split"
SUBJECTS = (
    Subject(
        HERE / "cmn.yml",
        f"{_CMN} test --model {{output}}/model",
        {name: f"{_CMN} {{split}} --baseline {name}" for name in ("item-knn", "popularity")},
    ),
    Subject(HERE / "bocl.yml", "python continual.py test --folder {output}/learner"),
    Subject(HERE / "gossipgrad.yml", "python digits.py test --model {output}/model.pt"),
)


class StoppedError(Exception):
    """An experiment that did not come to its end; the message says how to go on."""


class Sitting:
    """One home with one server, and the experiments in it.

    Args:
        home: Where orchestrate keeps all of it, and where the page is written.
        console: For people.
    """

    def __init__(self, home: Path, console: Console) -> None:
        self.home = home
        self.console = console
        kept = {name: it for name, it in os.environ.items() if name != "ORCHESTRATE_STORE"}
        self._env = kept | {
            # where the trials find their programs
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "ORCHESTRATE_HOME": str(home),
            "OMP_NUM_THREADS": "1",
        }

    def call(self, *command: str, **options: Any) -> str:
        """Runs a command to its end and returns what it prints on its last line."""
        done = subprocess.run(
            command, env=self._env, stdout=subprocess.PIPE, text=True, check=True, **options
        )
        return done.stdout.splitlines()[-1]

    @contextlib.contextmanager
    def server(self) -> Iterator[subprocess.Popen[bytes]]:
        """Serves the dashboard while the context lasts, and says where."""
        token = self._token()
        port = free_port()
        with (self.home / "server.log").open("ab") as log:
            server = self._start("server", "--port", str(port), stdout=log, stderr=log)
        try:
            await_ready(server, port)
            self.console.print(f"dashboard: http://127.0.0.1:{port}")
            self.console.print(f"sign in with {token}\n", soft_wrap=True)
            yield server
        finally:
            server.terminate()
            server.wait()

    def finish(self, subject: Subject) -> dict[str, Any]:
        """Runs the subject's experiment, or what is left of it; returns it with all its trials.

        Raises:
            StoppedError: It was stopped, or cannot run.
        """
        found = self._find(subject)
        which = [] if found is None else [str(found["id"])]  # after `run` it is the newest
        if found is None or found["state"] != "completed":
            command = ("run", str(subject.file)) if found is None else ("resume", *which)
            code = self._start(*command).wait()
            if code != 0:
                raise StoppedError(f"stopped with status {code}; `make demo` goes on where it was")
        view: dict[str, Any] = json.loads(self.call("orchestrate", "status", *which, "--json"))
        return view

    def table(self, subject: Subject, experiment: Values) -> Table:
        """Returns the best trial beside the defaults, and what both are worth on the test set."""
        best, default = compared_trials(experiment)
        tests = [
            self._read(subject, subject.test, output=trial["output"]) for trial in (best, default)
        ]
        simpler = {
            name: [self._read(subject, command, split=split) for split in ("validation", "test")]
            for name, command in subject.simpler.items()
        }
        table = Table(title=experiment["name"], title_justify="left", box=SIMPLE_HEAD)
        table.add_column("")
        for trial, title in ((best, "best"), (default, "defaults")):
            table.add_column(f"{title}\ntrial {trial['number']}", justify="right")
        for title in ("change", *simpler):
            table.add_column(title, justify="right")
        for metric, value in best["values"].items():
            beside = [of[0].get(metric) for of in simpler.values()]
            tested = metric in tests[0]
            name = f"{metric}, validation" if tested else metric
            table.add_row(name, *compared(value, default["values"][metric]), *map(shown, beside))
            if tested:
                beside = [of[1].get(metric) for of in simpler.values()]
                row = compared(tests[0][metric], tests[1][metric])
                table.add_row(f"{metric}, test", *row, *map(shown, beside))
        table.add_section()
        for parameter, value in best["assignments"].items():
            table.add_row(parameter, shown(value), shown(default["assignments"][parameter]))
        return table

    def page(self, experiments: Sequence[Values], notes: str) -> str:
        """Writes the one page of all experiments and returns its path."""
        numbers = [str(experiment["id"]) for experiment in experiments]
        page = str(self.home / "demo.html")
        return self.call("orchestrate", "report", *numbers, "--notes", "-", "-o", page, input=notes)

    def _start(self, *arguments: str, **streams: Any) -> subprocess.Popen[bytes]:
        """Starts orchestrate so that it stops when this process ends, however it ends."""
        libc = ctypes.CDLL(None)
        return subprocess.Popen(
            ["orchestrate", *arguments],
            env=self._env,
            preexec_fn=lambda: libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM),  # noqa: PLW1509 - one thread
            **streams,
        )

    def _read(self, subject: Subject, command: str, **places: str) -> Values:
        """Returns the metrics that a command prints in the folder of the subject's file."""
        words = [word.format(**places) for word in command.split()]
        metrics: Values = json.loads(self.call(*words, cwd=subject.file.parent))
        return metrics

    def _find(self, subject: Subject) -> dict[str, Any] | None:
        """Returns the subject's newest experiment, unless the file has changed since."""
        changed = subject.file.stat().st_mtime
        (checked,) = json.loads(self.call("orchestrate", "validate", str(subject.file), "--json"))
        return next(
            (
                found
                for found in json.loads(self.call("orchestrate", "list", "--json"))
                if found["name"] == checked["experiment"]["name"] and found["created_at"] > changed
            ),
            None,
        )

    def _token(self) -> str:
        """Returns the token that the demo has made in this home; it is made once."""
        kept = self.home / "demo-token"
        if not kept.exists():
            self.home.mkdir(parents=True, exist_ok=True)
            create = ("orchestrate", "token", "create", "--name", "make demo", "--scope", "write")
            clients = json.loads(self.call("orchestrate", "token", "list", "--json"))
            token = self.call(*create, *([] if clients else ["--new-client"]))
            kept.touch(mode=0o600)
            kept.write_text(token)
        return kept.read_text()


def free_port() -> int:
    """Returns the server's usual port, or another one where that is taken."""
    for port in (PORT, 0):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return int(probe.getsockname()[1])
    raise StoppedError("no port of this machine is free")


def await_ready(server: subprocess.Popen[bytes], port: int) -> None:
    """Returns as soon as the server answers.

    Raises:
        StoppedError: It has ended, or does not answer in time.
    """
    deadline = time.monotonic() + READY_S
    while server.poll() is None and time.monotonic() < deadline:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        with contextlib.closing(connection), contextlib.suppress(OSError):
            connection.request("GET", "/ready")
            if connection.getresponse().status == http.client.OK:
                return
        time.sleep(0.1)
    raise StoppedError("the server does not answer; server.log in the home says why")


def compared_trials(experiment: Values) -> tuple[Values, Values]:
    """Returns the best trial and the defaults' one.

    Of a Pareto front, which begins with the best by the first objective, it is the last trial that
    is no worse than the defaults by that one: the smallest network that is as accurate, say. Where
    that is the defaults themselves, the first of the front is compared with them.

    Raises:
        StoppedError: The defaults have failed.
    """
    default = next(t for t in experiment["trials"] if t["source"] == "default")
    if default["values"] is None:
        raise StoppedError(f"{experiment['name']}: the defaults failed; see `orchestrate logs`")
    front = experiment["best"]
    first = next(iter(experiment["objectives"]))
    top = front[0]["values"][first]
    room = abs(top - default["values"][first])
    found = [trial for trial in front if abs(trial["values"][first] - top) <= room][-1]
    return front[0] if found["values"] == default["values"] else found, default


def compared(value: float, reference: float) -> tuple[str, str, str]:
    """Returns two values and the change from the second to the first, as people read them."""
    change = f"{100 * (value - reference) / abs(reference):+.1f} %" if reference else ""
    return shown(value), shown(reference), change


def shown(value: Any) -> str:
    """Returns a value with four significant digits, nothing for None."""
    if isinstance(value, float):
        return f"{value:.0f}" if value.is_integer() else f"{value:.4g}"
    return "" if value is None else str(value)


def demonstrate(sitting: Sitting, subjects: Sequence[Subject], *, keep: bool) -> None:
    """Runs all experiments, reads the test sets, and shows and writes what came out."""
    with sitting.server() as server:
        experiments = [sitting.finish(subject) for subject in subjects]
        notes = Console(record=True, width=100, file=sitting.console.file)
        for subject, experiment in zip(subjects, experiments, strict=True):
            notes.print(sitting.table(subject, experiment))
        page = sitting.page(experiments, notes.export_text())
        sitting.console.print(f"page: {page}", soft_wrap=True)
        if keep:
            sitting.console.print("the dashboard stays until Ctrl-C")
            server.wait()


def main(subjects: Sequence[Subject] = SUBJECTS) -> None:
    """Reads the command line; Ctrl-C lets what runs come to a stop."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--home", type=Path, default=HERE.parents[1] / ".orchestrate")
    parser.add_argument("--keep", action="store_true", help="leave the server running at the end")
    given = parser.parse_args()
    signal.signal(signal.SIGINT, lambda *_: None)  # orchestrate gets it, too, and we wait for it
    console = Console(highlight=False)
    try:
        demonstrate(Sitting(given.home.resolve(), console), subjects, keep=given.keep)
    except StoppedError as stopped:
        sys.exit(str(stopped))
    except subprocess.CalledProcessError as failed:
        command = " ".join(failed.cmd)
        sys.exit(f"{command}: status {failed.returncode}; `make demo` goes on where it was")


if __name__ == "__main__":
    main()
