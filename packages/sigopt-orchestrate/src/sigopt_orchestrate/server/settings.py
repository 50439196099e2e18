"""How a server runs."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Settings:
    """A server's options, as `orchestrate server` takes them.

    Attributes:
        store: The database's URL, or a SQLite file's path.
        folder: Where uploaded files and the optimiser's log lie.
        requests_per_second: What one token may send; 0 sets no limit.
        failures_per_second: How many requests without a valid token one address may send.
        public_url: The server's address as callers see it, where a proxy stands between.
    """

    store: str | Path
    folder: Path
    requests_per_second: float = 5000.0
    failures_per_second: float = 5.0
    public_url: str | None = None
