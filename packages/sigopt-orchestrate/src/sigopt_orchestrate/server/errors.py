"""What the API refuses, each with its status and one sentence that names the field."""

from collections.abc import Sequence

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from sigopt_orchestrate.errors import OrchestrateError


class ApiError(OrchestrateError):
    """A request that is answered with an error body; `status` is the HTTP status."""

    status = 500


class InvalidError(ApiError):
    """A request that the API documents as invalid."""

    status = 400


class UnauthorizedError(ApiError):
    """A request without a token."""

    status = 401


class ForbiddenError(ApiError):
    """A request for what exists and is not this caller's."""

    status = 403


class UnknownError(ApiError):
    """A request for what does not exist."""

    status = 404


class MethodError(ApiError):
    """A request by a verb that its address does not know."""

    status = 405


class ConflictError(ApiError):
    """A request to create what exists."""

    status = 409


class TooLargeError(ApiError):
    """A request with more bytes than the server reads."""

    status = 413


class RateLimitError(ApiError):
    """A request beyond the caller's rate; the sigopt client tries it again by itself."""

    status = 429


class UnavailableError(ApiError):
    """A request that the store could not carry out now: full, locked or out of reach."""

    status = 503


def invalid_body(error: ValidationError) -> InvalidError:
    """Returns the first thing that is wrong with a body, with the field's path in front."""
    entries = error.errors(include_url=False)
    # A list whose items are wrong may be reported for itself as well: the deepest says the most.
    first = max(entries, key=lambda entry: len(entry["loc"]))
    others = len({_place(entry["loc"]) for entry in entries}) - 1
    more = f" ({others} more field(s) after this one)" if others else ""
    return InvalidError(f"{_sentence(first)}{more}")


def _sentence(details: ErrorDetails) -> str:
    kind, context = details["type"], details.get("ctx", {})
    if kind == "refusal":
        place = _place((*details["loc"], *context["key"]))
        return f"{place}: {context['message']}" if place else str(context["message"])
    place = _place(details["loc"])
    if kind == "missing":
        return f"{place}: is required"
    if kind == "extra_forbidden":
        return f"{place}: unknown key"
    wanted = _WANTED.get(kind)
    said = wanted.format_map(context) if wanted else details["msg"].lower()
    shown = repr(details["input"])
    return f"{place}: must be {said}, not {shown if len(shown) <= 60 else shown[:57] + '...'}"


_WANTED = {
    "bool_type": "true or false",
    "dict_type": "an object",
    "finite_number": "a finite number",
    "float_type": "a number",
    "greater_than": "above {gt}",
    "greater_than_equal": "at least {ge}",
    "int_from_float": "a whole number",
    "int_type": "a whole number",
    "less_than_equal": "at most {le}",
    "list_type": "a list",
    "literal_error": "{expected}",
    "model_type": "an object",
    "model_attributes_type": "an object",
    "string_pattern_mismatch": "text that matches {pattern}",
    "string_too_long": "at most {max_length} characters",
    "string_too_short": "at least {min_length} character(s)",
    "string_type": "text",
    "too_long": "a list or map of at most {max_length}",
    "too_short": "a list or map of at least {min_length}",
}


def _place(location: Sequence[str | int]) -> str:
    """`parameters[0].bounds.min`, without the branches of unions that pydantic names."""
    place = ""
    for part in location:
        if isinstance(part, int):
            place += f"[{part}]"
        elif part not in _BRANCHES and not part.startswith(("function-", "constrained-", "list[")):
            place += f".{part}" if place else part
    return place


_BRANCHES = {"str", "int", "float", "bool", "[key]", "normal", "beta"}
