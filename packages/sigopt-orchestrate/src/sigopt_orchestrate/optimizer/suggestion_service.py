"""The orchestrate's side of the optimiser process."""

import math
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from sigopt_orchestrate.errors import SuggestionError
from sigopt_orchestrate.optimizer.child import Child
from sigopt_orchestrate.optimizer.messages import Request, read_answer, request_line
from sigopt_orchestrate.optimizer.peers import refuse_missing
from sigopt_orchestrate.optimizer.points import Observed, Suggestion
from sigopt_orchestrate.spec import Assignments, Experiment

TIME_BOX_S = 60.0
_PLAIN_AFTER = 2


class SuggestionService:
    """Suggestions from a process of its own, so that none keeps the caller waiting.

    A process that dies is replaced. If it dies twice before it answers, or has not answered when
    its time is up, the next one is asked for a point without a model only; if that does no better,
    `poll` raises. On Linux the process also ends
    with the *thread* that started it: create and poll a service in one that lives as long.

    Args:
        experiment: What to suggest for.
        log_path: A file that the process's messages are appended to.
        time_box_s: How long a process may take for an answer.

    Raises:
        MissingDependencyError: If the experiment's algorithm needs a package that is missing.

    Example:
        >>> service = SuggestionService(experiment, Path("optimizer.log"))  # doctest: +SKIP
        >>> service.request(history=[], pending=[])  # doctest: +SKIP
        >>> select.select([service], [], [])  # doctest: +SKIP
        >>> service.poll()  # doctest: +SKIP
        Suggestion(assignments={'x': 0.25}, source='quasi-random')
    """

    def __init__(
        self, experiment: Experiment, log_path: Path, time_box_s: float = TIME_BOX_S
    ) -> None:
        refuse_missing(experiment.optimizer.algorithm)
        self._time_box_s, self._deadline = time_box_s, math.inf
        self._experiment_line = experiment.model_dump_json(by_alias=True).encode() + b"\n"
        self._log_path = log_path
        self._request: Request | None = None
        self._known: list[Observed] = []  # what the present process was sent
        self._received = b""
        self._deaths = 0  # since the last answer
        self._child = self._start()

    @property
    def busy(self) -> bool:
        """Whether a request is under way."""
        return self._request is not None

    def request(self, history: Sequence[Observed], pending: Sequence[Assignments]) -> None:
        """Asks for a suggestion and returns at once; see `suggest` for the arguments.

        A history that goes on from that of the last request is sent from there on only.

        Raises:
            RuntimeError: If a request is under way.
        """
        if self._request is not None:
            raise RuntimeError("a suggestion is under way; only one may be at a time")
        self._request = Request(tuple(history), tuple(pending))
        self._send()

    def fileno(self) -> int:
        """Returns the descriptor that is readable when `poll` has something to do.

        It changes when `poll` replaces a process that has died.
        """
        return self._child.fileno()

    def poll(self) -> Suggestion | None:
        """Returns the suggestion, or None as long as it is not there; does not block.

        Raises:
            SuggestionError: If the process dies again and again; the request is then given up.
        """
        while (received := self._child.read()) is not None:
            self._received += received
            if self._received.endswith(b"\n"):
                answer = read_answer(self._received)
                self._request, self._received, self._deaths = None, b"", 0
                return answer
            if not received:
                self._replace()
        if self._request is not None and time.monotonic() > self._deadline:
            # Asked again, it would take as long again.
            self._deaths = max(self._deaths, _PLAIN_AFTER - 1)
            self._replace()
        return None

    def close(self) -> None:
        """Ends the process, whatever it is doing, and reaps it."""
        self._child.end()

    def _start(self) -> Child:
        child = Child(self._log_path)
        child.send(self._experiment_line)
        return child

    def _send(self) -> None:
        if self._request is None:
            return
        history, known = self._request.history, len(self._known)
        if list(history[:known]) != self._known:
            known = 0
        # What has killed two processes is not tried a third time.
        plain = self._deaths >= _PLAIN_AFTER
        self._deadline = time.monotonic() + self._time_box_s
        request = replace(self._request, history=history[known:], plain=plain, known=known)
        self._child.send(request_line(request))
        self._known = list(history)

    def _replace(self) -> None:
        status = self._child.end()
        self._deaths += 1
        self._received, self._known = b"", []
        self._child = self._start()
        if self._deaths > _PLAIN_AFTER:
            self._request, self._deaths = None, 0
            raise SuggestionError(
                f"the optimiser's process ended or had to be ended again and again "
                f"(exit status {status}); "
                f"see {self._log_path}"
            )
        self._send()
