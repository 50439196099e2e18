"""What an operator sees: one JSON line for each event, and Prometheus metrics.

Neither shows a token: an address is logged as its template, so a token in it is not.
"""

import json
import logging
import time
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

ACCESS_LOG = logging.getLogger("sigopt_orchestrate.access")
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60)
_PLAIN = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "taskName", "color_message"}


class JsonLines(logging.Formatter):
    """Formats a record as one JSON object; what `extra` holds becomes keys of it."""

    def format(self, record: logging.LogRecord) -> str:
        """Returns the line."""
        line: dict[str, Any] = {
            "time": round(record.created, 3),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {key: value for key, value in record.__dict__.items() if key not in _PLAIN}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


class Metrics:
    """The server's metrics, in a registry of its own.

    Attributes:
        registry: What `/metrics` shows.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "orchestrate_http_requests",
            "Requests that were answered.",
            ("method", "path", "status"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "orchestrate_http_request_seconds",
            "From a request's arrival to its answer.",
            ("method", "path"),
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self._suggestions = Histogram(
            "orchestrate_suggestion_seconds",
            "From a question to the optimiser's choice.",
            ("source",),
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self.writes_waiting = Gauge(
            "orchestrate_writes_waiting",
            "Pieces of work that wait for the writer.",
            registry=self.registry,
        )
        self._children: dict[tuple[str, str, int], Any] = {}
        self._timers: dict[tuple[str, str], Any] = {}

    def answered(self, method: str, path: str, status: int, seconds: float) -> None:
        """Counts an answer, and logs it.

        Args:
            method: The verb.
            path: The address as a template, never as it was sent.
            status: Of the answer.
            seconds: How long it took.
        """
        key = (method, path, status)
        if key not in self._children:  # a look-up by labels takes longer than everything else here
            self._children[key] = self._requests.labels(method, path, str(status))
            self._timers[key[:2]] = self._seconds.labels(method, path)
        self._children[key].inc()
        self._timers[key[:2]].observe(seconds)

    def suggested(self, source: str, since: float) -> None:
        """Counts a suggestion that was asked for at `since`, by the monotonic clock."""
        self._suggestions.labels(source).observe(time.monotonic() - since)


def log_to_stderr(level: str) -> None:
    """Sends all logs of this process to standard error, as JSON lines."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
