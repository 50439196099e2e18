"""The lines between the orchestrate and its optimiser process, one JSON object each.

The first line to the process is the experiment; then each request gets one answer.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from sigopt_orchestrate.optimizer.points import Observed, Suggestion
from sigopt_orchestrate.spec import Assignments


@dataclass(frozen=True)
class Request:
    """What a suggestion is wanted for.

    Attributes:
        history: The observations that the process does not know yet.
        pending: The assignments of the trials without an observation.
        plain: Whether a point without a model is wanted whatever the history, because the process
            has died of this request before.
        known: How many of the observations it was sent before still count; the new ones follow.
    """

    history: tuple[Observed, ...]
    pending: tuple[Assignments, ...]
    plain: bool = False
    known: int = 0


def request_line(request: Request) -> bytes:
    """Returns `request` as a line."""
    history = [[o.assignments, o.values, o.deviations] for o in request.history]
    rest = {"pending": request.pending, "plain": request.plain, "known": request.known}
    return _line({"history": history, **rest})


def read_request(line: bytes) -> Request:
    """Returns the request that `request_line` wrote."""
    data = json.loads(line)
    history = tuple(
        Observed(
            assignments,
            None if values is None else tuple(values),
            None if deviations is None else tuple(deviations),
        )
        for assignments, values, deviations in data["history"]
    )
    return Request(history, tuple(data["pending"]), data["plain"], data["known"])


def answer_line(suggestion: Suggestion) -> bytes:
    """Returns `suggestion` as a line."""
    return _line({"assignments": suggestion.assignments, "source": suggestion.source})


def read_answer(line: bytes) -> Suggestion:
    """Returns the suggestion that `answer_line` wrote."""
    return Suggestion(**json.loads(line))


def _line(data: Mapping[str, object]) -> bytes:
    return json.dumps(data).encode() + b"\n"
