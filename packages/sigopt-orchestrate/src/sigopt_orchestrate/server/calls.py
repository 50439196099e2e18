"""One request as its handler sees it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection

from sigopt_orchestrate.server.authentication import Caller
from sigopt_orchestrate.server.errors import InvalidError, UnknownError
from sigopt_orchestrate.server.json_bodies import Json
from sigopt_orchestrate.server.wire.fields import MAX_ID

B = TypeVar("B")


@dataclass(slots=True)
class Call(Generic[B]):
    """A request in its transaction.

    Attributes:
        tx: The transaction; it is committed before the answer is sent.
        caller: Who calls.
        token: What the caller showed.
        path: The address's variable parts by name.
        query: The query's parameters by name.
        body: The checked body; None where the address takes none.
        origin: Gives the server's address as the caller sees it, without a slash at its end.
    """

    tx: Connection
    caller: Caller
    token: str
    path: Mapping[str, str]
    query: Mapping[str, str]
    body: B
    origin: Callable[[], str]

    def id(self, name: str) -> int:
        """Returns the id in the address's part `name`.

        Raises:
            UnknownError: If it is none, so that nothing can be there.
        """
        text = self.path[name]
        if not (text.isascii() and text.isdigit()) or len(text) > 18 or int(text) > MAX_ID:
            raise UnknownError(f"there is no {name} {text[:40]!r}")
        return int(text)

    def flag(self, name: str) -> bool | None:
        """Returns a query parameter that is `true` or `false`, None where it is absent.

        Raises:
            InvalidError: If it is anything else.
        """
        text = self.query.get(name)
        if text is None:
            return None
        if text.lower() not in ("true", "false", "1", "0"):
            raise InvalidError(f"{name}: must be true or false, not {text[:40]!r}")
        return text.lower() in ("true", "1")


@dataclass(frozen=True, slots=True)
class Search:
    """What a handler returns when the optimiser has to choose first.

    Attributes:
        experiment_id: For which experiment.
        task: The task to choose for, where the caller named one.
        finish: Makes the answer, in a transaction of its own, of what was chosen: the assignments,
            the task and the source.
    """

    experiment_id: int
    task: str | None
    finish: Callable[[Connection, Mapping[str, Any], str | None, str], Json]
