"""Threads that keep the optimiser's processes, so that no request waits in the event loop."""

import asyncio
import hashlib
import logging
import select
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sigopt_orchestrate.errors import SuggestionError
from sigopt_orchestrate.optimizer import Observed, Suggestion, SuggestionService
from sigopt_orchestrate.server.search.choice import Choice, choose
from sigopt_orchestrate.server.search.question import Question
from sigopt_orchestrate.spec import Assignments, Experiment

_DESKS = 2
_PROCESSES = 2  # for each desk; each has numpy and scipy in it
_LOOK_S = 1.0
_log = logging.getLogger(__name__)


class Suggesters:
    """Answers questions, those about one experiment always in the same thread.

    Args:
        folder: Where the optimiser's processes write their log.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._desks = [_Desk(folder / "optimizer.log") for _ in range(_DESKS)]
        # A process of the optimiser ends with the thread that started it.
        self._threads = [ThreadPoolExecutor(1, f"suggester-{i}") for i in range(_DESKS)]

    async def answer(self, question: Question) -> Choice:
        """Returns what to suggest; see `choose`."""
        index = question.experiment_id % _DESKS
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads[index], self._desks[index].answer, question)

    def close(self) -> None:
        """Ends the processes and the threads."""
        for desk, thread in zip(self._desks, self._threads, strict=True):
            thread.submit(desk.close)
            thread.shutdown()


class _Desk:
    """One thread's processes, the most recently used ones."""

    def __init__(self, log_path: Path) -> None:
        self._log_path = log_path
        self._services: OrderedDict[str, SuggestionService] = OrderedDict()

    def answer(self, question: Question) -> Choice:
        return choose(question, self._ask)

    def close(self) -> None:
        while self._services:
            self._services.popitem()[1].close()

    def _ask(
        self, spec: Experiment, history: list[Observed], pending: list[Assignments]
    ) -> Suggestion:
        key = hashlib.sha256(spec.model_dump_json(by_alias=True).encode()).hexdigest()
        service = self._service(key, spec)
        try:
            service.request(history, pending)
            return _wait(service)
        except SuggestionError as error:
            _log.warning("the optimiser gave no suggestion: %s", error)
            self._services.pop(key).close()
            raise

    def _service(self, key: str, spec: Experiment) -> SuggestionService:
        if key not in self._services:
            if len(self._services) >= _PROCESSES:
                self._services.popitem(last=False)[1].close()
            self._services[key] = SuggestionService(spec, self._log_path)
        self._services.move_to_end(key)
        return self._services[key]


def _wait(service: SuggestionService) -> Suggestion:
    """Returns the answer; the service sees to it that there is one in time."""
    while True:
        select.select([service], [], [], _LOOK_S)
        suggestion = service.poll()
        if suggestion is not None:
            return suggestion
