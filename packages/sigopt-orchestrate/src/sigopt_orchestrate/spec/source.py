"""Reads an experiment file; errors name the file, the line and the key."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from sigopt_orchestrate.errors import SpecError
from sigopt_orchestrate.spec.document import compose, construct, place, read_document
from sigopt_orchestrate.spec.experiment import Experiment

Location = tuple[str | int, ...]


def load_experiment(path: Path) -> Experiment:
    """Returns the experiment that the YAML file at `path` describes, with what it `extends`.

    Raises:
        SpecError: If a file cannot be read, is not YAML, or does not describe an experiment.
            The message is one sentence that begins with `path:line: key`.
    """
    return _validated(read_document(path), str(path))


def parse_experiment(text: str, name: str) -> Experiment:
    """Returns the experiment that the YAML document `text` describes; see `load_experiment`.

    Args:
        text: The document; being no file, it extends none.
        name: What errors call it, usually its path.
    """
    return _validated(compose(text, name), name)


def _validated(root: yaml.Node, name: str) -> Experiment:
    try:
        return Experiment.model_validate(construct(root, name))
    except ValidationError as error:
        raise SpecError(_sentence(error, root)) from None


def _sentence(error: ValidationError, root: yaml.Node) -> str:
    """One sentence for the first error by line; further lines are counted, not listed."""
    errors = error.errors()
    inner = {entry["loc"][:depth] for entry in errors for depth in range(len(entry["loc"]))}
    # A list whose items are wrong is reported as too short as well: the items say what is wrong.
    deepest = [entry for entry in errors if entry["loc"] not in inner]
    found = sorted((_describe(entry, root) for entry in deepest), key=lambda d: _order(d[0]))
    mark, key, message = found[0]
    more = len({_order(entry[0]) for entry in found}) - 1
    others = f" ({more} more after this one)" if more else ""
    return f"{place(mark)}: {key or 'the file'}: {message}{others}"


def _order(mark: yaml.Mark) -> tuple[str, int]:
    return mark.name, mark.line


def _describe(details: ErrorDetails, root: yaml.Node) -> tuple[yaml.Mark, str, str]:
    """The place, the key and the sentence of one of pydantic's errors."""
    kind, context, location = details["type"], details.get("ctx", {}), details["loc"]
    if kind == "refusal":
        mark, key = _find(root, (*location, *context["key"]))
        return mark, key, context["message"]
    mark, key = _find(root, location)
    if kind == "missing":
        return mark, _join(key, str(location[-1])), "is required"
    if kind.startswith("union_tag"):
        if key.endswith(".prior"):
            return mark, key, "name must be normal or beta"
        return mark, key, "type must be double, int or categorical"
    return mark, key, f"must be {_wanted(kind, context)}, not {_brief(details['input'])}"


def _wanted(kind: str, context: dict[str, Any]) -> str:
    """What was allowed, in a YAML author's words."""
    if kind in _WANTED:
        return _WANTED[kind].format_map(context)
    if kind == "literal_error":
        return str(context["expected"])
    return f"valid ({kind})"


_WANTED = {
    "bool_type": "true or false",
    "dict_type": "a mapping",
    "finite_number": "a finite number",
    "float_parsing": "a number",
    "float_type": "a number",
    "greater_than": "above {gt}",
    "greater_than_equal": "at least {ge}",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "less_than": "below {lt}",
    "less_than_equal": "at most {le}",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "string_pattern_mismatch": "letters, digits, _ and -, not starting with a digit",
    "string_too_long": "at most {max_length} characters",
    "string_too_short": "at least {min_length} character(s)",
    "string_type": "text (quote it)",
    "too_short": "a list of at least {min_length}",
    "tuple_type": "a list",
}


def _find(root: yaml.Node, location: Sequence[str | int]) -> tuple[yaml.Mark, str]:
    """Where the deepest node on the way to `location` stands, and its dotted key."""
    node, mark, key = root, root.start_mark, ""
    for part in location:
        if isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            if part >= len(node.value):
                break
            node = node.value[part]
            mark, key = node.start_mark, f"{key}[{part}]"
        elif isinstance(node, yaml.MappingNode):
            entry = next(((k, v) for k, v in node.value if k.value == part), None)
            if entry is not None:  # pydantic also names the union's branch, which no file holds
                mark, node, key = entry[0].start_mark, entry[1], _join(key, str(part))
    return mark, key


def _join(key: str, part: str) -> str:
    return f"{key}.{part}" if key else part


def _brief(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
