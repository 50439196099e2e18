"""The table of addresses: what each takes, what it needs, what it answers, and who does it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel

from sigopt_orchestrate.server.authentication import Scope
from sigopt_orchestrate.server.calls import Call, Search
from sigopt_orchestrate.server.json_bodies import Json

Handler = Callable[[Call[Any]], Json | Search]
_H = TypeVar("_H", bound=Callable[[Call[Any]], Any])
READING = frozenset({"GET", "HEAD"})


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One verb at one address.

    Attributes:
        path: With `{name}` for each variable part.
        answers: The `object` that it answers with; a page of them where `many`.
        body: The model of its body; None where it takes none.
        scope: The least that the caller's token must allow.
        audited: Whether each success is written to the audit log.
        query: The query's parameters by name, with what each is for.
    """

    method: str
    path: str
    handle: Handler
    answers: str
    many: bool
    body: type[BaseModel] | None
    scope: Scope
    status: int
    audited: bool
    query: tuple[str, ...]

    @property
    def summary(self) -> str:
        """The first line of the handler's docstring."""
        return (self.handle.__doc__ or "").strip().partition("\n")[0]


class Endpoints:
    """The endpoints of one room, in the order of definition."""

    def __init__(self) -> None:
        self._endpoints: list[Endpoint] = []

    def __iter__(self) -> Iterator[Endpoint]:
        return iter(self._endpoints)

    def add(
        self,
        method: str,
        path: str,
        answers: str,
        *,
        many: bool = False,
        body: type[BaseModel] | None = None,
        scope: Scope | None = None,
        status: int = 200,
        audited: bool = False,
        query: tuple[str, ...] = (),
    ) -> Callable[[_H], _H]:
        """Makes the decorated function the handler of `method` at `/v1` + `path`."""

        def register(handle: _H) -> _H:
            needed = scope or (Scope.READ if method in READING else Scope.WRITE)
            paging = ("limit", "before", "after", "ascending", "fields") if many else ()
            self._endpoints.append(
                Endpoint(
                    method=method,
                    path=f"/v1{path}",
                    handle=handle,
                    answers=answers,
                    many=many,
                    body=body,
                    scope=needed,
                    status=status,
                    audited=audited,
                    query=(*paging, *query),
                )
            )
            return handle

        return register
