"""What an attempt's folder keeps as JSON, as `supervisor.write_whole` has written it."""

import json
from pathlib import Path
from typing import Any

from sigopt_orchestrate.executors.presence import Exit
from sigopt_orchestrate.store import AttemptFolder


def read_record(path: Path) -> dict[str, Any] | None:
    """Returns what is kept there; None where nothing is, or no JSON.

    The machine may have crashed before it was on disk.
    """
    try:
        return dict(json.loads(path.read_bytes()))
    except (FileNotFoundError, ValueError):
        return None


def read_exit(folder: AttemptFolder) -> Exit | None:
    """Returns how the attempt ended, if that has been kept."""
    record = read_record(folder.exit)
    return None if record is None else Exit(**record)
