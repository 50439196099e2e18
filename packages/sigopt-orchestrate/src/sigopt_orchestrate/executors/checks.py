"""What is looked at before anything starts, and what came of it."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Check:
    """The result of one check; `bad` means that nothing would run."""

    check: str
    verdict: Literal["ok", "note", "bad"]
    said: str
