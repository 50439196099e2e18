"""Amounts of memory as people write them: `512Mi`, `16Gi`, `1.5G`, or bytes."""

import math
import re
from typing import Annotated

from pydantic import BeforeValidator

from sigopt_orchestrate.spec.section import refusal

_PREFIXES = ("", "K", "M", "G", "T")
_PATTERN = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?)(i?)B?\s*")


def parse_memory(value: object) -> int:
    """Returns the bytes that `value` stands for.

    Args:
        value: A positive number of bytes, or a string with a unit: K, M, G, T for powers of 1000,
            Ki, Mi, Gi, Ti for powers of 1024.

    Raises:
        PydanticCustomError: If `value` is neither, or not positive.

    Example:
        >>> parse_memory("1.5Ki")
        1536
    """
    match = None if isinstance(value, bool) else _PATTERN.fullmatch(str(value))
    size = 0.0
    if match and (match[2] or not match[3]):
        size = float(match[1]) * (1024 if match[3] else 1000) ** _PREFIXES.index(match[2])
    if not 1 <= size < math.inf:
        raise refusal(f"must be an amount of memory such as 512Mi, 16Gi or 8G, not {value!r}")
    return int(size)


Memory = Annotated[int, BeforeValidator(parse_memory)]
"""Bytes, read from a number or a string with a unit."""
