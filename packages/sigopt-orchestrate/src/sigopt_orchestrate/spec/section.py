"""What every section of an experiment file has in common: frozen, and no unknown keys."""

from difflib import get_close_matches
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, model_validator
from pydantic_core import PydanticCustomError


def refusal(message: str, *key: str | int) -> PydanticCustomError:
    """Returns the error to raise for `message` at `key`, relative to the section that is checked.

    Only errors raised this way, and pydantic's own, know the line they belong to.
    """
    return PydanticCustomError("refusal", "{message}", {"message": message, "key": key})


class Section(BaseModel):
    """A mapping of the experiment file as an immutable value."""

    model_config = ConfigDict(frozen=True, populate_by_name=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown_keys(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        allowed = [field.alias or name for name, field in cls.model_fields.items()]
        for key in data:
            if key not in allowed and key not in cls.model_fields:
                close = get_close_matches(str(key), allowed, n=1)
                hint = f"did you mean {close[0]!r}" if close else f"allowed: {', '.join(allowed)}"
                raise refusal(f"unknown key; {hint}", str(key))
        return data


def _refuse_booleans(value: object) -> object:
    if isinstance(value, bool):
        raise refusal(f"must be a number, not {value!r}")
    return value


Number = Annotated[float, BeforeValidator(_refuse_booleans)]
"""A finite float; YAML's `yes` and `true` are not numbers."""

Whole = Annotated[int, BeforeValidator(_refuse_booleans)]
"""An int; YAML's `yes` and `true` are not numbers."""
