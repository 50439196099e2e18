"""Experiments from Python: run them, look at them, ask and tell."""

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from sigopt_orchestrate import spec as specification
from sigopt_orchestrate.errors import SpecError
from sigopt_orchestrate.lifecycle import ExperimentState
from sigopt_orchestrate.reconcile import RunLoop, create, local_loop
from sigopt_orchestrate.sdk.results import Results
from sigopt_orchestrate.sdk.session import Session, open_session
from sigopt_orchestrate.sdk.space import Metrics, Space, metric_keys, parameter_keys
from sigopt_orchestrate.spec import load_experiment, parse_experiment
from sigopt_orchestrate.store import ExperimentRecord, Store, TrialRecord

Callback = Callable[[ExperimentRecord, TrialRecord], None]
"""Called for each trial that is observed, in the thread that runs the experiment."""


class Experiment:
    """One experiment in a store; it is stored when it is first run or asked.

    Example:
        >>> experiment = Experiment.from_file("experiment.yml")  # doctest: +SKIP
        >>> experiment.run().best.assignments  # doctest: +SKIP
        {'rate': 0.01, 'depth': 6}
    """

    def __init__(
        self,
        spec: specification.Experiment,
        directory: Path | str = ".",
        *,
        home: Path | str | None = None,
        store: str | None = None,
    ) -> None:
        """Makes an experiment of a specification that is valid already.

        Args:
            spec: What an experiment file holds.
            directory: Where the command runs.
            home: The folder for the store and the trials' files; `$ORCHESTRATE_HOME`, or
                `.orchestrate`, by default.
            store: The database's URL; `$ORCHESTRATE_STORE`, or a file in `home`, by default.
        """
        self._spec = spec
        self._directory = Path(directory)
        self._home = Path(home or os.environ.get("ORCHESTRATE_HOME") or ".orchestrate")
        self._url = store or os.environ.get("ORCHESTRATE_STORE")
        self._id: int | None = None

    @classmethod
    def from_file(cls, path: Path | str, **where: Any) -> "Experiment":
        """Reads an experiment file, whose command runs in the file's folder.

        Args:
            path: The YAML file.
            **where: `home` and `store`, as for the class.

        Raises:
            SpecError: If the file does not describe an experiment.
        """
        return cls(load_experiment(Path(path)), Path(path).absolute().parent, **where)

    @classmethod
    def create(
        cls,
        name: str,
        *,
        parameters: Space,
        metrics: Metrics,
        budget: int,
        command: str | Sequence[str] | None = None,
        directory: Path | str = ".",
        home: Path | str | None = None,
        store: str | None = None,
        **keys: Any,
    ) -> "Experiment":
        """Makes an experiment of what an experiment file would say.

        Args:
            name: What to call it.
            parameters: By name; see `double`, `integer` and `categorical`.
            metrics: For example `"accuracy"`, or `{"loss": "minimize"}`.
            budget: How many observations in all.
            command: What a trial executes; none for an experiment that is asked and told.
            directory: Where the command runs.
            home: As for the class.
            store: As for the class.
            **keys: The experiment file's other keys, such as `parallel` or `retries`.

        Raises:
            SpecError: If this is no valid experiment.
        """
        given = {
            "name": name,
            "parameters": parameter_keys(parameters),
            "metrics": metric_keys(metrics),
            "budget": budget,
            "command": command,
            **keys,
        }
        return cls(_validated(given), directory, home=home, store=store)

    @classmethod
    def open(cls, experiment_id: int, **where: Any) -> "Experiment":
        """Returns an experiment that is stored already.

        Args:
            experiment_id: As `orchestrate list` shows it.
            **where: `home` and `store`, as for the class.

        Raises:
            StoreError: If there is no such store, or no such experiment in it.
        """
        probe = cls(_NOTHING, **where)
        store = Store.existing(probe._home, probe._url)
        try:
            record = store.experiment(experiment_id)
        finally:
            store.close()
        found = cls(record.spec, record.directory, **where)
        found._id = record.id
        return found

    @property
    def id(self) -> int | None:
        """Its number in the store; None before it is stored."""
        return self._id

    @property
    def spec(self) -> specification.Experiment:
        """What its file holds."""
        return self._spec

    def run(self, callbacks: Iterable[Callback] = ()) -> Results:
        """Runs the experiment to its end, or goes on with it; blocks until then.

        Each trial is a process of its own, with the guarantees of `orchestrate run`. On Ctrl-C the
        trials are ended first; a later `run` goes on.

        Args:
            callbacks: Called for each trial that is observed while this runs.

        Raises:
            SpecError: If the experiment has no command, or cannot run as written.
            LeadershipError: If another process runs it.
            KeyboardInterrupt: After Ctrl-C.
        """
        return self._run(list(callbacks), lambda _loop: None)

    async def run_async(self, callbacks: Iterable[Callback] = ()) -> Results:
        """Runs the experiment as `run` does, in a thread of its own.

        If the task is cancelled, the experiment's trials are ended before it is.

        Args:
            callbacks: Called in that thread.
        """
        loops: list[RunLoop] = []
        cancelled = threading.Event()

        def began(loop: RunLoop) -> None:
            loops.append(loop)
            if cancelled.is_set():  # while the thread was still on its way here
                loop.request_stop()

        work = asyncio.ensure_future(asyncio.to_thread(self._run, list(callbacks), began))
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            cancelled.set()
            for loop in loops:
                loop.request_stop()
            await asyncio.wait([work])
            raise

    def results(self) -> Results:
        """Returns the experiment and its trials as they are now.

        Raises:
            SpecError: If it has not been stored.
        """
        if self._id is None:
            raise SpecError("the experiment has not been run or asked yet")
        with self._store() as store:
            return _results(store, self._id)

    @contextmanager
    def session(self) -> Iterator[Session]:
        """Makes this process the experiment's leader, to ask for trials and tell how they went.

        At the end trials that were not told about go back to the queue, for a later session.

        Raises:
            LeadershipError: If another process leads it.
        """
        with self._store() as store, open_session(store, self._stored(store)) as session:
            yield session

    @contextmanager
    def _store(self) -> Iterator[Store]:
        store = Store(self._home, self._url)
        try:
            yield store
        finally:
            store.close()

    def _stored(self, store: Store) -> ExperimentRecord:
        if self._id is not None:
            return store.experiment(self._id)
        record = create(store, self._spec, self._directory)
        self._id = record.id
        return record

    def _run(self, callbacks: list[Callback], began: Callable[[RunLoop], None]) -> Results:
        def watch(
            experiment: ExperimentRecord,
            _trials: Collection[TrialRecord],
            moved: Sequence[TrialRecord],
        ) -> None:
            for trial in moved:
                for call in callbacks if trial.state.observed else ():
                    call(experiment, trial)

        if self._spec.command is None:
            raise SpecError("the experiment has no command; ask for its trials in a session")
        with self._store() as store:
            record = self._stored(store)
            with local_loop(store, record, watch) as loop, _interruptible(loop):
                began(loop)
                record = loop.run()
            if record.state is ExperimentState.FAILED:
                raise SpecError(f"experiment {record.id} cannot run as written: {record.reason}")
            return _results(store, record.id)


@contextmanager
def _interruptible(loop: RunLoop) -> Iterator[None]:
    """Lets Ctrl-C end the trials first, where this is the thread that hears it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    pressed = False

    def press(*_: object) -> None:
        nonlocal pressed
        pressed = True
        loop.request_stop()

    before = signal.signal(signal.SIGINT, press)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if pressed:
        raise KeyboardInterrupt


def _results(store: Store, experiment_id: int) -> Results:
    record = store.experiment(experiment_id)
    folder = store.home.experiment(experiment_id)
    return Results(record, tuple(store.trials(experiment_id)), folder)


def _validated(keys: Mapping[str, Any]) -> specification.Experiment:
    """The keys as an experiment; what is wrong is said as for a file."""
    plain = _plain(keys)
    try:
        return specification.Experiment.model_validate(plain)
    except ValidationError:
        try:
            text = yaml.safe_dump(plain, sort_keys=False)
        except yaml.YAMLError as error:
            raise SpecError(f"the experiment: {error}") from None
        return parse_experiment(text, "the experiment")


def _plain(value: Any) -> Any:
    """Values as an experiment file has them; numpy's numbers and arrays as Python's."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


_NOTHING = specification.Experiment.model_validate(
    {"name": "nothing", "parameters": [], "metrics": [], "budget": 1}
)
