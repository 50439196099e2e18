"""Answers the couriers in pods: what they ask in the log, an annotation tells them."""

import json
import logging
from collections.abc import Callable
from typing import Any

from sigopt_orchestrate.artifacts.answering import answer
from sigopt_orchestrate.artifacts.courier.files import RefusedError
from sigopt_orchestrate.artifacts.keeper import Keeper
from sigopt_orchestrate.executors.kubernetes.objects import Objects
from sigopt_orchestrate.executors.kubernetes.pod.places import ANSWER_ANNOTATION
from sigopt_orchestrate.store import AttemptFolder

_log = logging.getLogger(__name__)


class Couriers:
    """Answers beside the loop; a question that comes to nothing is asked again by its courier.

    Args:
        keeper: Knows the answers.
        objects: Annotates the pods.
        request: Has something done in another thread, and again if the cluster is out of reach.
    """

    def __init__(
        self, keeper: Keeper, objects: Objects, request: Callable[[Callable[[], None]], None]
    ) -> None:
        self._keeper = keeper
        self._objects = objects
        self._request = request

    def hear(self, pod: str, folder: AttemptFolder, name: str, asked: dict[str, Any]) -> None:
        """Takes a question; see `logs.Asked`."""

        def reply() -> None:
            try:
                said: dict[str, Any] = {"answer": answer(self._keeper, folder, asked)}
            except RefusedError as error:
                said = {"refused": str(error)}
            except OSError as error:
                _log.warning("a courier has to wait: %s", error)
                return
            told = json.dumps({"to": name, **said})
            self._objects.annotate(pod, ANSWER_ANNOTATION, told)

        self._request(reply)
