"""The HTTP side that instances call; each call is begun by them and shows the experiment's key."""

import contextlib
import hmac
import json
import os
import ssl
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from sigopt_orchestrate.artifacts.answering import answer, courier_code
from sigopt_orchestrate.artifacts.courier.files import RefusedError
from sigopt_orchestrate.artifacts.keeper import Keeper
from sigopt_orchestrate.errors import CloudError
from sigopt_orchestrate.executors.ec2.crew import Crew
from sigopt_orchestrate.executors.supervisor import flush, redact, write_whole
from sigopt_orchestrate.store import AttemptFolder

_MOST = 1 << 20
_SILENT_S = 60
_PARTS = {"log", "metrics", "exit", "artifacts"}


class Desk:
    """Listens until it is closed."""

    def __init__(
        self,
        crew: Crew,
        *,
        listen: tuple[str, int],
        token: str,
        source: Path | None,
        secrets: tuple[str, ...],
        tls: tuple[Path, Path] | None,
        keeper: Keeper | None = None,
    ) -> None:
        """Begins to listen.

        Args:
            crew: Answers the calls.
            listen: Address and port.
            token: What callers must show.
            source: The packed folder that instances copy.
            secrets: Names of environment variables whose values are overwritten in finished logs.
            tls: Certificate and key.
            keeper: Answers couriers, where artifacts are kept.

        Raises:
            CloudError: If it cannot listen there.
        """
        handler = type("Handler", (_Handler,), {"desk": self})
        try:
            self._server = _Server(listen, handler)
            if tls is not None:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(*tls)
                self._server.tls = context
        except (OSError, ssl.SSLError) as error:
            raise CloudError(
                f"backend.ec2.listen: instances cannot be heard on {listen[0]}:{listen[1]}: "
                f"{error.strerror or error}"
            ) from None
        self.crew = crew
        self.token = token
        self.source = source
        self.keeper = keeper
        self._hidden = [os.environb.get(os.fsencode(name), b"") for name in secrets]
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stops listening; calls under way are answered."""
        with self.crew.changed:
            self.crew.closing = True
            self.crew.changed.notify_all()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def append(self, token: str, part: str, rank: int, at: int, content: bytes) -> int | None:
        """Appends to an attempt's log or metrics; returns its size now, None if it is unknown.

        What does not begin where the file ends is not taken: the caller goes on from there.
        """
        job = self.crew.jobs.get(token)
        if job is None:
            return None
        path = _path(job.attempt.folder, part, rank)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            if file.tell() == at and rank not in job.exits:
                file.write(content)
            return file.tell()

    def advise(self, token: str, asked: dict[str, Any]) -> dict[str, Any] | None:
        """Answers the courier of an attempt; None where nobody knows that.

        Raises:
            OSError: If S3 does not answer.
            RefusedError: If it never will.
        """
        job = self.crew.jobs.get(token)
        if job is None or self.keeper is None:
            return None
        return answer(self.keeper, job.attempt.folder, asked)

    def conclude(self, token: str, rank: int, record: dict[str, Any]) -> bool:
        """Takes how one rank of an attempt ended; returns whether anybody wants to know."""
        job = self.crew.jobs.get(token)
        if job is None:
            return False
        exit_path = rank_exit(job.attempt.folder, rank)
        if not exit_path.exists():  # on disk before the instance forgets it
            write_whole(exit_path, record)
            flush(exit_path)
        log = _path(job.attempt.folder, "log", rank)
        if any(self._hidden) and log.exists():
            redact(log, self._hidden)
        return self.crew.exited(token, rank, record)


def rank_exit(folder: AttemptFolder, rank: int) -> Path:
    """Where the record lies of how one rank of an attempt ended."""
    return folder.root / f"rank{rank}.json"


def _path(folder: AttemptFolder, part: str, rank: int) -> Path:
    """Where a part of what an attempt leaves lies; rank 0's is the attempt's own."""
    own = folder.log if part == "log" else folder.metrics
    return own if rank == 0 else own.with_name(f"{own.name}.{rank}")


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 256
    tls: ssl.SSLContext | None = None

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Serves one connection, in a thread of its own; so a slow handshake holds up nobody."""
        request.settimeout(_SILENT_S)
        if self.tls is not None:
            request = self.tls.wrap_socket(request, server_side=True)
        super().finish_request(request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Says nothing: a caller that hangs up is one that calls again."""


class _Handler(BaseHTTPRequestHandler):
    desk: Desk
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        if not self._allowed():
            return
        path = urlsplit(self.path).path
        if path == "/source" and self.desk.source is not None:
            self._answer(HTTPStatus.OK, self.desk.source.read_bytes())
        elif path == "/courier":
            self._json(courier_code())
        else:
            self._answer(HTTPStatus.NOT_FOUND, b"nothing is here")

    def do_POST(self) -> None:
        body = self._body()
        if body is None:
            return
        report = _report(self.path)
        if report is not None:
            self._advise(report[0], body)
            return
        if self.desk.crew.finished:
            self._answer(HTTPStatus.GONE, b"the experiment is over")
            return
        try:
            answer = self.desk.crew.call(json.loads(body))
        except (ValueError, KeyError, TypeError):
            self._answer(HTTPStatus.BAD_REQUEST, b"not a call as agents make it")
        else:
            self._json(answer)

    def do_PUT(self) -> None:
        body = self._body()
        if body is None:
            return
        report = _report(self.path)
        if report is None:
            self._answer(HTTPStatus.BAD_REQUEST, b"not a report as agents make it")
            return
        token, part, rank, at = report
        try:
            if part == "exit":
                known: Any = self.desk.conclude(token, rank, json.loads(body)) or None
            else:
                known = self.desk.append(token, part, rank, at, body)
        except (ValueError, KeyError, TypeError):
            self._answer(HTTPStatus.BAD_REQUEST, b"not a record as agents make it")
            return
        except OSError:  # a full disk may pass
            self._answer(HTTPStatus.SERVICE_UNAVAILABLE, b"it cannot be kept now")
            return
        self._known(None if known is None else {"size": known})

    def _advise(self, token: str, body: bytes) -> None:
        try:
            self._known(self.desk.advise(token, dict(json.loads(body))))
        except (RefusedError, ValueError, TypeError) as error:
            self._answer(HTTPStatus.BAD_REQUEST, str(error).encode())
        except OSError as error:
            self._answer(HTTPStatus.SERVICE_UNAVAILABLE, str(error).encode())

    def _known(self, answer: dict[str, Any] | None) -> None:
        """Answers about an attempt, if it is known."""
        if answer is not None:
            self._json(answer)
        elif self.desk.crew.synced:
            self._answer(HTTPStatus.GONE, b"nobody wants to know of this attempt")
        else:
            self._answer(HTTPStatus.SERVICE_UNAVAILABLE, b"not yet")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's name
        """Says nothing; what matters is in the trials' events."""

    def _body(self) -> bytes | None:
        if not self._allowed():
            return None
        length = self.headers.get("Content-Length", "")
        if not length.isdigit() or int(length) > _MOST:
            self._answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, b"too large")
            self.close_connection = True
            return None
        return self.rfile.read(int(length))

    def _allowed(self) -> bool:
        given = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if hmac.compare_digest(given.encode(), self.desk.token.encode()):
            return True
        self._answer(HTTPStatus.UNAUTHORIZED, b"the experiment's key is needed")
        self.close_connection = True
        return False

    def _json(self, answer: dict[str, Any]) -> None:
        self._answer(HTTPStatus.OK, json.dumps(answer).encode())

    def _answer(self, status: HTTPStatus, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(content)


def _report(address: str) -> tuple[str, str, int, int] | None:
    """Returns the attempt, the part, the rank and the place that `/attempts/...` names."""
    at = urlsplit(address)
    query = {key: value[0] for key, value in parse_qs(at.query).items()}
    rank, offset = query.get("rank", ""), query.get("at", "0")
    _, *names = at.path.split("/")
    if len(names) != 3 or names[0] != "attempts" or names[2] not in _PARTS:
        return None
    if not (rank.isdecimal() and offset.isdecimal()):
        return None
    return names[1], names[2], int(rank), int(offset)
