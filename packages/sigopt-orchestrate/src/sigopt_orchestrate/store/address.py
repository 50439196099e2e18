"""Where a database is, by URL; says so without its password."""

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from sigopt_orchestrate.errors import StoreError


@dataclass(frozen=True)
class Address:
    """A SQLite file or a PostgreSQL database.

    Attributes:
        path: The file; None for PostgreSQL.
        url: What libpq understands; empty for SQLite.
    """

    path: Path | None
    url: str = ""

    @classmethod
    def parse(cls, url: str | Path) -> "Address":
        """Returns the address that `url` names.

        Args:
            url: `sqlite:///relative/path`, `sqlite:////absolute/path`, a bare path, or
                `postgresql://user@host/database`.

        Raises:
            StoreError: If it is none of these.
        """
        if isinstance(url, Path) or "://" not in url:
            return cls(Path(url))
        kind, rest = url.split("://", 1)
        if kind == "sqlite" and rest.startswith("/") and len(rest) > 1:
            return cls(Path(unquote(rest[1:])))
        if kind in {"postgresql", "postgres"} and rest:
            return cls(None, f"postgresql://{rest}")
        raise StoreError(
            f"store {_without_password(url)!r}: must be sqlite:///PATH or "
            "postgresql://USER@HOST/DATABASE"
        )

    def __str__(self) -> str:
        """The address, fit for a message."""
        return str(self.path) if self.path else _without_password(self.url)


def _without_password(url: str) -> str:
    hidden = re.sub(r"(://[^:@/]*):[^@]*@", r"\1:***@", url)
    return re.sub(r"(password=)[^&\s]*", r"\1***", hidden)
