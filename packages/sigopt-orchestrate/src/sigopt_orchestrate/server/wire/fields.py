"""The kinds of fields that several bodies share."""

import math
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from sigopt_orchestrate.spec.section import refusal

MAX_ID = 2**31 - 1
MAX_KEYS = 100
MAX_TEXT = 500


class Body(BaseModel):
    """A request's body; keys it does not name are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)


class Part(BaseModel):
    """An object inside a body, such as a client may have got from here: more keys are no harm."""

    model_config = ConfigDict(extra="ignore", strict=True, allow_inf_nan=False, frozen=True)


def _identifier(value: object) -> int:
    number = -1
    if isinstance(value, int) and not isinstance(value, bool):
        number = value
    elif isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        number = int(value)
    if not 0 <= number <= MAX_ID:
        raise refusal(f"must be an id, an integer in a string, not {str(value)[:40]!r}")
    return number


def _number(value: object) -> float | int:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise refusal(f"must be a number, not {str(value)[:40]!r}")
    if not abs(value) <= 1.7976931348623157e308:
        raise refusal("must be a finite number that a double can hold")
    return value


def _whole(value: object) -> int:
    number = _number(value)
    if number != math.floor(number):
        raise refusal(f"must be a whole number, not {number!r}")
    if abs(number) > 2**53:
        raise refusal("must be at most 2^53, so that every client can read it")
    return int(number)


def metadata(value: object, *, nulls: bool = False) -> dict[str, Any]:
    """Returns `value` as metadata: at most 100 strings and numbers by short keys.

    Args:
        value: What was sent.
        nulls: Whether null values stay, as orders to remove a key, or are dropped.
    """
    if not isinstance(value, dict):
        raise refusal(f"must be an object of strings and numbers, not {str(value)[:40]!r}")
    if len(value) > MAX_KEYS:
        raise refusal(f"must have at most {MAX_KEYS} keys, not {len(value)}")
    for key, item in value.items():
        if not key or len(key) > 100:
            raise refusal("a key must have 1 to 100 characters", key[:40])
        if isinstance(item, str):
            if len(item) > MAX_TEXT:
                raise refusal(f"must be at most {MAX_TEXT} characters", key)
        elif item is not None and (isinstance(item, bool) or not isinstance(item, int | float)):
            raise refusal("must be a string or a number", key)
        elif item is not None and not abs(item) <= 1.7976931348623157e308:
            raise refusal("must be a finite number", key)
    return {key: item for key, item in value.items() if nulls or item is not None}


def _schema(**keys: object) -> WithJsonSchema:
    return WithJsonSchema(dict(keys))


_MAP = {
    "type": "object",
    "maxProperties": MAX_KEYS,
    "additionalProperties": {
        "anyOf": [{"type": "string", "maxLength": MAX_TEXT}, {"type": "number"}]
    },
}
Id = Annotated[
    int,
    BeforeValidator(_identifier),
    WithJsonSchema({"type": "string", "pattern": "^[0-9]{1,9}$"}),
]
Number = Annotated[float, BeforeValidator(_number), _schema(type="number")]
"""A finite number; ints become floats."""
Exact = Annotated[Any, BeforeValidator(_number), _schema(type="number")]
"""A finite number that stays an int if it is one."""
Whole = Annotated[int, BeforeValidator(_whole), _schema(type="integer")]
"""An int, or a float without a fraction."""
Name = Annotated[str, Field(min_length=1, max_length=100)]
Metadata = Annotated[dict[str, Any], AfterValidator(metadata), WithJsonSchema(_MAP)]
Assignments = Annotated[dict[str, Any], AfterValidator(metadata), WithJsonSchema(_MAP)]
"""Values by parameter; whether they fit an experiment is for the experiment to say."""
