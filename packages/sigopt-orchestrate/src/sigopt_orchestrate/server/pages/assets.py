"""The dashboard's files: hand-written ones from this package, plotly.js from its own."""

import asyncio
import gzip
import hashlib
from functools import lru_cache
from importlib.resources import files
from pathlib import PurePosixPath

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from sigopt_orchestrate.dashboard.page import plotly_js
from sigopt_orchestrate.server.errors import UnknownError
from sigopt_orchestrate.server.pages.answers import takes_gzip

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_SHARED = {"page.css": "dashboard", "plots.js": "dashboard", "parallel.js": "dashboard"}
# Styles may be inline, for plotly.js sets some; scripts never, and nothing comes from elsewhere.
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data: blob:; connect-src 'self'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}


async def index(request: Request) -> Response:
    """Answers with the page; it is the same for all views."""
    return await _response(request, "index.html")


async def home(_request: Request) -> Response:
    """Leads from the server's root to the page."""
    return RedirectResponse("/ui/", 302)


async def asset(request: Request) -> Response:
    """Answers with one of the page's files; the browser asks whether it has changed."""
    name = request.path_params["name"]
    if name not in _names():
        raise UnknownError("there is no such file")
    tag = _file(name)[1]
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers={"ETag": tag, **_HEADERS})
    return await _response(request, name)


async def _response(request: Request, name: str) -> Response:
    content, tag = _file(name)
    kind = _TYPES[PurePosixPath(name).suffix]
    headers = {"Cache-Control": "no-cache", "ETag": tag, "Vary": "Accept-Encoding", **_HEADERS}
    if takes_gzip(request):
        content = await asyncio.to_thread(_compressed, name)
        headers["Content-Encoding"] = "gzip"
    return Response(content, media_type=kind, headers=headers)


@lru_cache(maxsize=64)
def _compressed(name: str) -> bytes:
    # The first reader waits for it: of plotly.js the lowest level makes 1.7 MB and not 1.5, in a
    # third of the time.
    return gzip.compress(_file(name)[0], compresslevel=1)


@lru_cache(maxsize=1)
def _names() -> frozenset[str]:
    found = (files(__package__) / "assets").iterdir()
    return frozenset({*(item.name for item in found), *_SHARED, "plotly.js"})


@lru_cache(maxsize=64)
def _file(name: str) -> tuple[bytes, str]:
    """A file's bytes, and a tag of what is in them."""
    if name == "plotly.js":
        content = plotly_js().encode()
    elif name in _SHARED:
        content = (files(f"sigopt_orchestrate.{_SHARED[name]}") / name).read_bytes()
    else:
        content = (files(__package__) / "assets" / name).read_bytes()
    return content, f'"{hashlib.sha256(content).hexdigest()[:20]}"'
