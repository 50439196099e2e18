"""Durations as people write them: `90`, `60s`, `30m`, `4h`, `1.5d`."""

import re
from typing import Annotated

from pydantic import BeforeValidator

from sigopt_orchestrate.spec.section import refusal

_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_PATTERN = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([smhd]?)\s*")


def parse_duration(value: object) -> float:
    """Returns the seconds that `value` stands for.

    Args:
        value: A positive number of seconds, or a string with a unit: `s`, `m`, `h` or `d`.

    Raises:
        PydanticCustomError: If `value` is neither, or not positive.

    Example:
        >>> parse_duration("1.5h")
        5400.0
    """
    match = None if isinstance(value, bool) else _PATTERN.fullmatch(str(value))
    seconds = float(match[1]) * _SECONDS[match[2]] if match else 0.0
    if seconds <= 0:
        raise refusal(f"must be a positive duration such as 90, 60s, 30m, 4h or 1d, not {value!r}")
    return seconds


Duration = Annotated[float, BeforeValidator(parse_duration)]
"""Seconds, read from a number or a string with a unit."""
