"""The ASGI application: the endpoints, files' bytes, health, metrics, the OpenAPI document."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from sqlalchemy import text
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sigopt_orchestrate.server.dispatch import Dispatch, read_query
from sigopt_orchestrate.server.errors import (
    ApiError,
    ForbiddenError,
    InvalidError,
    MethodError,
    UnavailableError,
    UnknownError,
)
from sigopt_orchestrate.server.json_bodies import write
from sigopt_orchestrate.server.observability import ACCESS_LOG, Metrics
from sigopt_orchestrate.server.openapi import document
from sigopt_orchestrate.server.pages.routes import Pages
from sigopt_orchestrate.server.routes import ENDPOINTS
from sigopt_orchestrate.server.search.suggesters import Suggesters
from sigopt_orchestrate.server.settings import Settings
from sigopt_orchestrate.server.transactions import Transactions
from sigopt_orchestrate.server.uploads import (
    file_to_fill,
    file_to_send,
    mark_uploaded,
    place,
    receive,
)
from sigopt_orchestrate.server.wire.fields import MAX_ID
from sigopt_orchestrate.store.database import open_database

_log = logging.getLogger(__name__)
_METHODS = {"GET", "POST", "PUT", "MERGE", "DELETE"}


def build_application(settings: Settings) -> Starlette:
    """Returns the application; it opens the store and starts its threads here and now.

    Raises:
        StoreError: If the store cannot be opened.
    """
    engine = open_database(settings.store)
    transactions = Transactions(engine)
    suggesters = Suggesters(settings.folder)
    metrics = Metrics()
    dispatch = Dispatch(settings, transactions, suggesters, metrics)

    @asynccontextmanager
    async def lifespan(_application: Starlette) -> AsyncIterator[None]:
        yield
        suggesters.close()
        transactions.close()
        engine.dispose()

    async def ready(_request: Request) -> Response:
        await transactions.write(lambda tx: tx.execute(text("SELECT 1")).scalar_one())
        return _json({"status": "ready"})

    async def measured(_request: Request) -> Response:
        metrics.writes_waiting.set(transactions.waiting)
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)

    async def upload(request: Request) -> Response:
        file_id, query = _file_id(request), read_query(request)
        row = await transactions.read(
            lambda tx: file_to_fill(tx, file_id, query.get("signature", ""))
        )
        try:
            await receive(request.stream(), row, settings.folder)
        except ClientDisconnect:
            raise InvalidError("the body ended early") from None
        except OSError as error:
            raise UnavailableError(f"the file cannot be stored: {error.strerror}") from None
        await transactions.write(lambda tx: mark_uploaded(tx, file_id))
        return _json({})

    async def download(request: Request) -> Response:
        file_id, query = _file_id(request), read_query(request)
        expires = query.get("expires", "0")
        if not (expires.isascii() and expires.isdigit()) or len(expires) > 12:
            raise ForbiddenError("the download's address is not signed by this server")
        row = await transactions.read(
            lambda tx: file_to_send(tx, file_id, query.get("signature", ""), expires)
        )
        # Never shown as a page of this origin: what was uploaded may be a script.
        headers = {
            "Content-Security-Policy": "sandbox; default-src 'none'",
            "X-Content-Type-Options": "nosniff",
        }
        return FileResponse(
            place(settings.folder, file_id),
            media_type=row.content_type,
            filename=row.filename or row.name,
            headers=headers,
        )

    described = write(document(ENDPOINTS))

    async def openapi(_request: Request) -> Response:
        return Response(described, media_type="application/json")

    by_path: dict[str, dict[str, Any]] = {}
    for endpoint in ENDPOINTS:
        by_path.setdefault(endpoint.path, {})[endpoint.method] = dispatch.handler(endpoint)
    closing = asyncio.Event()
    pages = Pages(settings, dispatch, closing)
    routes = [Route(path, _verbs(handlers)) for path, handlers in by_path.items()]
    routes += pages.routes(_verbs)
    routes += [
        Route("/v1/files/{file}/content", _verbs({"PUT": upload, "GET": download})),
        Route("/health", _verbs({"GET": _health})),
        Route("/ready", _verbs({"GET": ready})),
        Route("/metrics", _verbs({"GET": measured})),
        Route("/openapi.json", _verbs({"GET": openapi})),
    ]
    application = Starlette(
        routes=routes,
        lifespan=lifespan,
        exception_handlers={ApiError: _refused, HTTPException: _not_routed, Exception: _broken},
    )
    application.state.closing = closing
    application.add_middleware(_Observed, metrics=metrics)
    return application


class _Observed:
    """Counts and logs every answer, by the address's template."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, start = 500, time.perf_counter()

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            seconds = time.perf_counter() - start
            route = scope.get("route")
            path = getattr(route, "path", "(no such address)")
            method = scope["method"] if scope["method"] in _METHODS else "other"
            self._metrics.answered(method, path, status, seconds)
            if ACCESS_LOG.isEnabledFor(logging.INFO):
                extra = {
                    "method": method,
                    "path": path,
                    "status": status,
                    "milliseconds": round(seconds * 1e3, 2),
                    "address": (scope.get("client") or ("",))[0],
                }
                ACCESS_LOG.info("answered", extra=extra)


def _verbs(handlers: dict[str, Any]) -> Any:
    """One handler for an address's verbs, MERGE among them; it answers the others with 405."""

    class Verbs:
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            request = Request(scope, receive, send)
            handle = handlers.get("GET" if request.method == "HEAD" else request.method)
            if handle is None:
                allowed = ", ".join(sorted(handlers))
                raise MethodError(f"{request.method} is not allowed here; {allowed} are")
            await (await handle(request))(scope, receive, send)

    return Verbs()


async def _health(_request: Request) -> Response:
    return _json({"status": "alive"})


def _file_id(request: Request) -> int:
    named = request.path_params["file"]
    if not (named.isascii() and named.isdigit()) or len(named) > 18 or int(named) > MAX_ID:
        raise UnknownError(f"there is no file {named[:40]!r}")
    return int(named)


def _json(body: Any, status: int = 200) -> Response:
    return Response(write(body), status, media_type="application/json")


async def _refused(request: Request, error: Exception) -> Response:
    status = error.status if isinstance(error, ApiError) else 500
    response = _json({"message": str(error), "status": status}, status)
    if status == 401 and not request.url.path.startswith("/ui"):  # pages ask for tokens themselves
        response.headers["WWW-Authenticate"] = 'Basic realm="orchestrate"'
    return response


async def _not_routed(_request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 404
    said = "there is nothing at this address" if status == 404 else str(error)
    return _json({"message": said, "status": status}, status)


async def _broken(_request: Request, error: Exception) -> Response:
    _log.error("a request failed", exc_info=error)
    return _json({"message": "the server made an error; its log says which", "status": 500}, 500)
