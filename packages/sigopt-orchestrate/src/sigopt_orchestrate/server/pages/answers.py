"""Answers, compressed where the browser takes it and it is worth it."""

import gzip

from starlette.requests import Request
from starlette.responses import Response

from sigopt_orchestrate.server.json_bodies import Json, write

_LEAST = 4000  # bytes; less fits into a few packets as it is


def json_answer(request: Request, body: Json) -> Response:
    """Returns an answer that no cache keeps."""
    content = write(body).encode()
    headers = {"Cache-Control": "no-store", "Vary": "Accept-Encoding"}
    if takes_gzip(request) and len(content) >= _LEAST:
        headers["Content-Encoding"] = "gzip"
        content = gzip.compress(content, compresslevel=1)
    return Response(content, media_type="application/json", headers=headers)


def takes_gzip(request: Request) -> bool:
    """Returns whether an answer may be compressed; on this machine the wire costs nothing."""
    near = request.client is not None and request.client.host in ("127.0.0.1", "::1")
    return not near and "gzip" in request.headers.get("accept-encoding", "")
