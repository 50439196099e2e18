"""The clusters that this user's experiments may name: a context and a namespace each."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from sigopt_orchestrate.errors import ClusterError


@dataclass(frozen=True)
class Context:
    """What a cluster's name stands for.

    Attributes:
        kubeconfig: An absolute path; None for the usual one.
        context: Of the kubeconfig; None for its current one.
        namespace: None for the context's.
    """

    kubeconfig: str | None = None
    context: str | None = None
    namespace: str | None = None


def contexts() -> dict[str, Context]:
    """Returns all named clusters."""
    try:
        told = json.loads(_file().read_bytes())
        return {name: Context(**fields) for name, fields in told.items()}
    except FileNotFoundError:
        return {}
    except (ValueError, TypeError):
        raise ClusterError(f"{_file()} is not what orchestrate wrote; mend or remove it") from None


def context(name: str) -> Context:
    """Returns a named cluster.

    Raises:
        ClusterError: If none has this name.
    """
    known = contexts()
    if name not in known:
        names = ", ".join(sorted(known)) or "none yet"
        raise ClusterError(
            f"cluster {name!r} is not connected (connected: {names}); "
            f"`orchestrate cluster connect {name}` does that"
        )
    return known[name]


def keep(name: str, chosen: Context | None) -> None:
    """Gives a cluster a name, or forgets it where `chosen` is None."""
    known = contexts()
    known.pop(name, None)
    if chosen is not None:
        known[name] = chosen
    path = _file()
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    part.write_text(json.dumps({n: asdict(c) for n, c in sorted(known.items())}, indent=1))
    part.replace(path)


def _file() -> Path:
    base = os.environ.get("XDG_CONFIG_HOME") or Path("~/.config").expanduser()
    return Path(base) / "orchestrate" / "clusters.json"
