"""Reads JSON more strictly than the standard library: what no database keeps is refused here."""

import json
from typing import Any

from sigopt_orchestrate.server.errors import InvalidError

Json = dict[str, Any]
"""A JSON object."""


def read_object(body: bytes) -> Json:
    """Returns the object that `body` holds; an empty body is the empty object.

    Raises:
        InvalidError: If it is no JSON object, or has NaN, infinite numbers, repeated keys, NUL
            characters or half surrogates in it.
    """
    if not body or body.isspace():
        return {}
    value = _read(body)
    if not isinstance(value, dict):
        raise InvalidError("the body must be a JSON object")
    return value


def read_value(text: str, name: str) -> Any:
    """Returns the JSON that the query parameter `name` holds, checked like a body.

    Raises:
        InvalidError: If it is no such JSON.
    """
    try:
        return _read(text.encode())
    except InvalidError as error:
        raise InvalidError(f"{name}: {error}") from None
    except UnicodeEncodeError:
        raise InvalidError(f"{name}: must be valid Unicode") from None


def write(value: object) -> str:
    """Returns `value` as compact JSON text."""
    return _encode(value)


_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


def _read(body: bytes) -> Any:
    try:
        text = body.decode("utf-8")
        value = _decode(text)
        if "\\u" in text:
            _encode(value).encode()  # half a surrogate pair is no text
    except UnicodeError:
        raise InvalidError("the body must be valid UTF-8") from None
    except RecursionError:
        raise InvalidError("the body is nested too deeply") from None
    except ValueError as error:
        raise InvalidError(f"the body is not valid JSON: {error}") from None
    if "\0" in text or ("\\u0000" in text and _holds_nul(value)):
        raise InvalidError("the body must not hold NUL characters")
    return value


def _holds_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any("\0" in key or _holds_nul(item) for key, item in value.items())
    return isinstance(value, list) and any(map(_holds_nul, value))


def _unique(pairs: list[tuple[str, Any]]) -> Json:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for name in names if names.count(name) > 1)
        raise InvalidError(f"{repeated}: the key is given twice")
    return found


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise InvalidError(f"{text} is beyond what a number can be")
    return number


def _refuse_constant(name: str) -> float:
    raise InvalidError(f"{name} is not allowed: numbers must be finite")


_decode = json.JSONDecoder(
    object_pairs_hook=_unique, parse_float=_finite, parse_constant=_refuse_constant
).decode
