"""The instance's line to orchestrate: requests over HTTP, always begun from here."""

from __future__ import annotations

import http.client
import json
import ssl
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit


class RefusedError(Exception):
    """Orchestrate has answered, and does not want it.

    Attributes:
        status: The HTTP status.
    """

    def __init__(self, status: int, said: str) -> None:
        super().__init__(f"{status}: {said}")
        self.status = status


class Line:
    """Keeps one connection open, and makes a new one after a failure."""

    def __init__(self, url: str, token: str, certificate: str | None) -> None:
        self._at = urlsplit(url)
        self._token = token
        self._certificate = certificate
        self._connection: http.client.HTTPConnection | None = None

    def another(self) -> Line:
        """Returns a line for another thread."""
        return Line(urlunsplit(self._at), self._token, self._certificate)

    def post(self, path: str, body: dict[str, Any], timeout_s: float = 10.0) -> dict[str, Any]:
        """Sends JSON and returns the JSON of the answer.

        Raises:
            OSError: If orchestrate cannot be reached.
            RefusedError: If it does not want the request.
        """
        answer = self.send("POST", path, json.dumps(body).encode(), timeout_s)
        return dict(json.loads(answer))

    def send(self, method: str, path: str, body: bytes = b"", timeout_s: float = 30.0) -> bytes:
        """Makes a request and returns the answer's body; raises as `post` does."""
        headers = {"Authorization": f"Bearer {self._token}", "Content-Length": str(len(body))}
        try:
            if self._connection is None:
                self._connection = self._connect(timeout_s)
            if self._connection.sock is not None:
                self._connection.sock.settimeout(timeout_s)
            self._connection.request(method, path, body, headers)
            response = self._connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise OSError(f"{self._at.netloc} does not answer: {error}") from None
        if response.status >= 500:
            raise OSError(f"{self._at.netloc} is not ready: {response.status}")
        if response.status >= 400:
            raise RefusedError(response.status, content.decode(errors="replace")[:200])
        return content

    def close(self) -> None:
        """Ends the connection; the next request makes a new one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connect(self, timeout_s: float) -> http.client.HTTPConnection:
        host, port = self._at.hostname or "", self._at.port
        if self._at.scheme == "http":
            return http.client.HTTPConnection(host, port, timeout=timeout_s)
        trusted = ssl.create_default_context(cadata=self._certificate)
        return http.client.HTTPSConnection(host, port, timeout=timeout_s, context=trusted)


def attempt_path(token: str, rank: int, part: str, at: int | None = None) -> str:
    """Returns the address of one part of what an attempt leaves: `log`, `metrics`, `exit`."""
    query = f"?rank={rank}" + (f"&at={at}" if at is not None else "")
    return f"/attempts/{quote(token)}/{part}{query}"
