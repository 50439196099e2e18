"""Puts what attempts leave into a bucket: around any executor, whatever runs them."""

import logging
import threading
import time
from collections.abc import Callable, Collection
from pathlib import Path

from sigopt_orchestrate.artifacts.answering import answer
from sigopt_orchestrate.artifacts.courier.carrier import Carrier
from sigopt_orchestrate.artifacts.courier.files import Json
from sigopt_orchestrate.artifacts.courier.transfer import CancelledError, Courier
from sigopt_orchestrate.artifacts.keeper import Keeper
from sigopt_orchestrate.errors import CloudError
from sigopt_orchestrate.executors.executor import Attempt, Executor, Work
from sigopt_orchestrate.executors.presence import Ended, Lost, Presence, Running, Starting
from sigopt_orchestrate.executors.supervisor import wake, write_whole
from sigopt_orchestrate.spec.artifacts import Artifacts
from sigopt_orchestrate.store import AttemptFolder, ExperimentFolder

_log = logging.getLogger(__name__)

_CLOSE_S = 20.0
_CANCEL_S = 5.0
_LOOK_S = 0.1


class ArchivingExecutor:
    """Holds an attempt's end back until its log and its output are in the bucket.

    An attempt of this machine is also carried from here: its checkpoint, and its output. Those of
    instances and pods have couriers beside them. Where the bucket is out of reach for too long,
    the attempt ends all the same, and `archived.json` says so.
    """

    def __init__(
        self,
        inner: Executor,
        keeper: Keeper,
        folder: ExperimentFolder,
        wanted: Artifacts,
        *,
        carries: bool,
        patience_s: float = 600.0,
    ) -> None:
        """Makes the executor.

        Args:
            inner: Runs the attempts.
            keeper: Of the experiment.
            folder: Where the experiment's files lie.
            wanted: What the file says.
            carries: Whether attempts run on this machine, so that they have no courier else.
            patience_s: How long S3 may be out of reach.
        """
        self._inner = inner
        self._keeper = keeper
        self._folder = folder
        self._wanted = wanted
        self._carries = carries
        self._patience_s = patience_s
        self._escorts: dict[str, _Escort] = {}

    def submit(self, attempt: Attempt, work: Work) -> None:
        """Starts the attempt, once its checkpoint is there."""
        if not self._carries:
            self._inner.submit(attempt, work)
            return
        self._escort(attempt).begin(lambda: self._inner.submit(attempt, work))

    def find(self, attempt: Attempt) -> Presence:
        """Looks for the attempt; one that has ended still runs until all of it is kept."""
        escort = self._escorts.get(attempt.token)
        if escort is not None and escort.preparing:
            return Starting("its checkpoint is fetched")
        found = self._inner.find(attempt)
        match found:
            case Running() if self._carries:
                self._escort(attempt).accompany()
            case Ended() | Lost() if not attempt.folder.archived.exists():
                escort = self._escort(attempt)
                escort.conclude(found)
                stopped = isinstance(found, Lost) or found.exit.ended_by == "stop"
                return found if stopped or escort.hurried else Running()
        return found

    def end(self, attempt: Attempt) -> None:
        """Asks the attempt to end; one that has ended already is not waited for any more."""
        escort = self._escorts.get(attempt.token)
        if escort is not None:
            escort.hurry()
        self._inner.end(attempt)

    def kill(self, attempt: Attempt) -> None:
        """Ends an attempt that does not answer."""
        self._inner.kill(attempt)

    def retain(self, tokens: Collection[str]) -> None:
        """Gives back what is left of all attempts but these."""
        for token in self._escorts.keys() - set(tokens):
            if self._escorts[token].over:
                del self._escorts[token]
        self._inner.retain(tokens)

    def close(self) -> None:
        """Waits a little for what is on its way; the next leader goes on with the rest."""
        until = time.monotonic() + _CLOSE_S
        for escort in self._escorts.values():
            escort.close(max(0.0, until - time.monotonic()))
        self._inner.close()

    def _escort(self, attempt: Attempt) -> "_Escort":
        if attempt.token not in self._escorts:
            self._escorts[attempt.token] = _Escort(
                attempt,
                self._keeper,
                self._wanted.checkpoint_every_s if self._carries else None,
                lambda: wake(self._folder.wake, f"{attempt.folder.trial}/{attempt.folder.number}"),
                self._patience_s,
            )
        return self._escorts[attempt.token]


class _Escort:
    """Goes with one attempt; one thread at a time.

    Attributes:
        preparing: Whether the attempt waits for its checkpoint.
        hurried: Whether its end is not to be held back.
    """

    def __init__(
        self,
        attempt: Attempt,
        keeper: Keeper,
        every_s: float | None,
        hint: Callable[[], object],
        patience_s: float,
    ) -> None:
        self.preparing = self.hurried = False
        self._folder = attempt.folder
        self._keeper = keeper
        self._hint = hint
        self._patience_s = patience_s
        self._thread: threading.Thread | None = None
        self._cancelled = threading.Event()
        self._concluded = threading.Event()
        self._found: Presence = Lost()
        self._carrier: Carrier | None = None
        if every_s is not None:
            self._carrier = Carrier(
                self._ask,
                checkpoint=str(self._folder.checkpoint),
                output=str(self._folder.output),
                every_s=every_s,
                say=self._say,
                patience_s=patience_s,
            )
            self._cancelled = self._carrier.cancelled

    @property
    def over(self) -> bool:
        """Whether nothing is on its way."""
        return self._thread is None or not self._thread.is_alive()

    def begin(self, submit: Callable[[], None]) -> None:
        """Fetches the checkpoint, unless it is here; then submits."""
        if self._carrier is None or any(self._folder.checkpoint.glob("*")):
            submit()
            return
        carrier, self.preparing = self._carrier, True

        def prepare() -> None:
            try:
                carrier.fetch()
                if not self.hurried:
                    submit()
            except OSError as error:
                self._say(f"could not be started: {error.strerror}")
            finally:
                self.preparing = False

        self._start(prepare)

    def hurry(self) -> None:
        """Does not start it any more, nor hold its end back."""
        self.hurried = True
        if self.preparing:
            self._cancelled.set()

    def accompany(self) -> None:
        """Keeps checkpoints from now on, if nobody does, and all that is left at the end."""
        carrier = self._carrier
        if carrier is None or not self.over:
            return

        def go_along() -> None:
            carrier.watch(lambda: self._concluded.is_set() or self._folder.exit.exists())
            while not self._concluded.wait(_LOOK_S):
                if self._cancelled.is_set():
                    return
            self._keep_all()

        self._start(go_along)

    def conclude(self, found: Presence) -> None:
        """Keeps what is there, now that this is how it has ended."""
        self._found = found
        self._concluded.set()
        if self.over:
            self._start(self._keep_all)

    def close(self, within_s: float) -> None:
        """Lets what has ended be kept within so many seconds, and then gives up."""
        if self._thread is not None:
            if self._concluded.is_set():
                self._thread.join(within_s)
            self._cancelled.set()
            self._thread.join(_CANCEL_S)

    def _start(self, work: Callable[[], None]) -> None:
        def run() -> None:
            try:
                work()
            except CancelledError:
                return
            except CloudError as error:
                _log.warning("%s", error)
            self._hint()

        self._thread = threading.Thread(target=run, daemon=True)
        self._thread.start()

    def _keep_all(self) -> None:
        exit_ = self._found.exit if isinstance(self._found, Ended) else None
        well = exit_ is not None and exit_.code == 0 and exit_.ended_by is None
        by_itself = exit_ is not None and exit_.ended_by != "stop"
        if self._carrier is not None:
            self._carrier.finish(again=not well, done=by_itself)
        problem = self._keep_records()
        if well:
            try:
                self._keeper.drop_checkpoint(self._folder.trial)
            except CloudError as error:
                problem = problem or str(error)
        if problem is not None:
            _log.warning("trial %s: not all of it is in S3: %s", self._folder.trial, problem)
        write_whole(self._folder.archived, {"problem": problem})

    def _keep_records(self) -> str | None:
        carrying = Courier(self._ask, patience_s=self._patience_s, cancelled=self._cancelled)
        return carrying.send_settled("records", lambda: _records(self._folder))

    def _ask(self, asked: Json) -> Json:
        return answer(self._keeper, self._folder, asked)

    def _say(self, said: str) -> None:
        """Tells people in the attempt's log."""
        self._folder.root.mkdir(parents=True, exist_ok=True)
        with self._folder.log.open("a") as log:
            log.write(f"orchestrate: {said}\n")


def _records(folder: AttemptFolder) -> dict[str, str]:
    """The files that tell people of the attempt: all logs, whole or rotated, and the metrics."""
    names = sorted(folder.root.glob("log*")) + sorted(folder.root.glob("metrics.jsonl*"))
    return {path.name: str(path) for path in names if _is_record(path)}


def _is_record(path: Path) -> bool:
    return path.is_file() and not path.name.endswith((".place", ".new", ".part"))
