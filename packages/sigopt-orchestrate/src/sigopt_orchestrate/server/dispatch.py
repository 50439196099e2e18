"""From a request to its answer: who calls, what was sent, the transaction, the optimiser."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any
from weakref import WeakValueDictionary

from pydantic import ValidationError
from sqlalchemy import Connection
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from sigopt_orchestrate.errors import SuggestionError
from sigopt_orchestrate.server.access import require_reach
from sigopt_orchestrate.server.accounts import log_audit
from sigopt_orchestrate.server.authentication import (
    Caller,
    RememberedCallers,
    find_caller,
    presented_token,
)
from sigopt_orchestrate.server.calls import Call, Search
from sigopt_orchestrate.server.endpoints import READING, Endpoint
from sigopt_orchestrate.server.errors import (
    ForbiddenError,
    InvalidError,
    TooLargeError,
    UnauthorizedError,
    UnavailableError,
    UnknownError,
    invalid_body,
)
from sigopt_orchestrate.server.json_bodies import Json, read_object, write
from sigopt_orchestrate.server.limits import RateLimit
from sigopt_orchestrate.server.observability import Metrics
from sigopt_orchestrate.server.search.question import ask
from sigopt_orchestrate.server.search.suggesters import Suggesters
from sigopt_orchestrate.server.settings import Settings
from sigopt_orchestrate.server.transactions import Transactions

Handle = Callable[[Request], Awaitable[Response]]
MAX_BODY_BYTES = 64 << 20


class Dispatch:
    """Turns endpoints into request handlers.

    Attributes:
        transactions: Where handlers run.
    """

    def __init__(
        self,
        settings: Settings,
        transactions: Transactions,
        suggesters: Suggesters,
        metrics: Metrics,
    ) -> None:
        self.transactions = transactions
        self._settings = settings
        self._suggesters = suggesters
        self._metrics = metrics
        self._callers = RememberedCallers()
        self._limit = RateLimit[int](settings.requests_per_second)
        self._failures = RateLimit[str](settings.failures_per_second)
        self._turns: WeakValueDictionary[int, asyncio.Lock] = WeakValueDictionary()

    def handler(self, endpoint: Endpoint) -> Handle:
        """Returns what answers requests to `endpoint`."""

        async def handle(request: Request) -> Response:
            given = request.headers.get("authorization")
            caller, token = await self.authenticate(request, given)
            path = read_path(request)
            require_reach(caller, endpoint.scope, endpoint.path, path)
            query = read_query(request)
            body = read_body(endpoint, await read_bytes(request))

            def origin() -> str:
                return (self._settings.public_url or str(request.base_url)).rstrip("/")

            def work(tx: Connection) -> Json | Search:
                call: Call[Any] = Call(
                    tx=tx,
                    caller=caller,
                    token=token,
                    path=path,
                    query=query,
                    body=body,
                    origin=origin,
                )
                result = endpoint.handle(call)
                if endpoint.audited:
                    log_audit(tx, caller.client_id, caller.token_id, *_audit(endpoint, path))
                return result

            if endpoint.method in READING:
                result = await self.transactions.read(work)
            else:
                result = await self.transactions.write(work)
            if isinstance(result, Search):
                result = await self._search(result)
            if endpoint.path.startswith("/v1/tokens") and endpoint.method not in READING:
                self._callers.forget()
            return _respond(request, endpoint, narrowed(result, query, body))

        return handle

    async def authenticate(self, request: Request, authorization: str | None) -> tuple[Caller, str]:
        """Returns who calls, and the token, once the rate limits have let the request through.

        Args:
            request: Says where it comes from.
            authorization: The header of this name, or what stands for it.

        Raises:
            UnauthorizedError: If there is no token.
            ForbiddenError: If it is not valid.
        """
        address = request.client.host if request.client else ""
        try:
            token = presented_token(authorization)
            caller = self._callers.get(token)
            if caller is None:
                caller = await self.transactions.read(lambda tx: find_caller(tx, token))
                self._callers.put(token, caller)
        except (UnauthorizedError, ForbiddenError):
            self._failures.spend(address)
            raise
        self._limit.spend(caller.token_id)
        return caller, token

    async def _search(self, search: Search) -> Json:
        """Asks the optimiser, one request at a time for each experiment.

        The next one then sees this one's suggestion as open, and gets another point.
        """
        turn = self._turns.setdefault(search.experiment_id, asyncio.Lock())
        async with turn:
            since = time.monotonic()
            question = await self.transactions.read(
                lambda tx: ask(tx, search.experiment_id, search.task)
            )
            try:
                choice = await self._suggesters.answer(question)
            except SuggestionError as error:
                raise UnavailableError(str(error)) from None
            self._metrics.suggested(choice.source, since)
            return await self.transactions.write(
                lambda tx: search.finish(tx, choice.assignments, choice.task, choice.source)
            )


async def read_bytes(request: Request) -> bytes:
    """Returns a request's body.

    Raises:
        TooLargeError: If it is larger than the server reads.
    """
    announced = request.headers.get("content-length", "0")
    if announced.isdigit() and int(announced) > MAX_BODY_BYTES:
        raise TooLargeError(f"the body must be at most {MAX_BODY_BYTES} bytes")
    received = bytearray()
    try:
        async for chunk in request.stream():
            received += chunk
            if len(received) > MAX_BODY_BYTES:
                raise TooLargeError(f"the body must be at most {MAX_BODY_BYTES} bytes")
    except ClientDisconnect:
        raise InvalidError("the body ended early") from None
    return bytes(received)


def read_path(request: Request) -> dict[str, str]:
    """Returns the address's variable parts.

    Raises:
        UnknownError: If one holds what no database keeps, so that nothing can be there.
    """
    parts: dict[str, str] = request.path_params
    if any("\0" in part for part in parts.values()):
        raise UnknownError("there is nothing at an address with a NUL character in it")
    return parts


def read_query(request: Request) -> dict[str, str]:
    """Returns the query's parameters.

    Raises:
        InvalidError: If one is given twice, or holds what no database keeps.
    """
    pairs = request.query_params.multi_items()
    found = dict(pairs)
    if len(found) < len(pairs):
        raise InvalidError("the query gives a parameter twice")
    for name, value in pairs:
        if "\0" in value or "\0" in name:
            raise InvalidError(f"{name[:40]!r}: must not hold NUL characters")
    return found


def read_body(endpoint: Endpoint, received: bytes) -> Any:
    """Returns the body as the endpoint's model; None where it takes none.

    Raises:
        InvalidError: If it is not valid.
    """
    if endpoint.body is None:
        return None
    try:
        return endpoint.body.model_validate(read_object(received))
    except ValidationError as error:
        raise invalid_body(error) from None


def narrowed(result: Json, query: dict[str, str], body: Any) -> Json:
    """Returns `result` with only the fields that were asked for, in its data if it is a page."""
    wanted = query.get("fields") or getattr(body, "fields", None)
    if not wanted or not result:
        return result
    names = {name.strip() for name in wanted.split(",")} | {"object"}
    if result.get("object") == "pagination":
        data = [{k: v for k, v in item.items() if k in names} for item in result["data"]]
        return {**result, "data": data}
    return {key: value for key, value in result.items() if key in names}


def _audit(endpoint: Endpoint, path: dict[str, Any]) -> tuple[str, str]:
    """What the audit log says; of a token in an address only that there was one."""
    shown = {
        key: value if key != "token" or len(str(value)) < 12 else "(token)"
        for key, value in path.items()
    }
    return f"{endpoint.method} {endpoint.path}"[:64], write(shown)


def _respond(request: Request, endpoint: Endpoint, result: Json) -> Response:
    if request.headers.get("x-response-content", "").lower() == "skip":
        return Response(status_code=204)
    return Response(write(result), endpoint.status, media_type="application/json")
