"""Reads an experiment file; errors name the file, the line and the key."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from sigopt_orchestrate.errors import SpecError
from sigopt_orchestrate.spec.experiment import Experiment

Location = tuple[str | int, ...]


def load_experiment(path: Path) -> Experiment:
    """Returns the experiment that the YAML file at `path` describes.

    Raises:
        SpecError: If the file cannot be read, is not YAML, or does not describe an experiment.
            The message is one sentence that begins with `path:line: key`.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise SpecError(f"{path}: cannot read the experiment file: {reason}") from None
    return parse_experiment(text, str(path))


def parse_experiment(text: str, name: str) -> Experiment:
    """Returns the experiment that the YAML document `text` describes; see `load_experiment`.

    Args:
        text: The document.
        name: What errors call it, usually its path.
    """
    try:
        loader = yaml.SafeLoader(text)
    except yaml.reader.ReaderError as error:
        raise SpecError(f"{name}: not valid YAML: {error.reason}") from None
    try:
        root = loader.get_single_node()
        if root is None:
            raise SpecError(f"{name}: the experiment file is empty")
        _refuse_repeated_keys(root, name)
        data = loader.construct_document(root)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise SpecError(f"{name}:{line}: not valid YAML: {error.problem}") from None
    finally:
        loader.dispose()
    try:
        return Experiment.model_validate(data)
    except ValidationError as error:
        raise SpecError(_sentence(error, root, name)) from None


def _refuse_repeated_keys(node: yaml.Node, name: str) -> None:
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            if key.value in seen:
                line = key.start_mark.line + 1
                raise SpecError(f"{name}:{line}: {key.value}: the key is given twice")
            seen.add(key.value)
            _refuse_repeated_keys(value, name)
    elif isinstance(node, yaml.SequenceNode):
        for child in node.value:
            _refuse_repeated_keys(child, name)


def _sentence(error: ValidationError, root: yaml.Node, name: str) -> str:
    """One sentence for the first error by line; further lines are counted, not listed."""
    errors = error.errors()
    inner = {entry["loc"][:depth] for entry in errors for depth in range(len(entry["loc"]))}
    # A list whose items are wrong is reported as too short as well: the items say what is wrong.
    deepest = [entry for entry in errors if entry["loc"] not in inner]
    found = sorted((_describe(entry, root) for entry in deepest), key=lambda d: d[0])
    line, key, message = found[0]
    more = len({entry[0] for entry in found}) - 1
    others = f" ({more} more after this one)" if more else ""
    return f"{name}:{line}: {key or 'the file'}: {message}{others}"


def _describe(details: ErrorDetails, root: yaml.Node) -> tuple[int, str, str]:
    """The line, the key and the sentence of one of pydantic's errors."""
    kind, context, location = details["type"], details.get("ctx", {}), details["loc"]
    if kind == "refusal":
        line, key = _find(root, (*location, *context["key"]))
        return line, key, context["message"]
    line, key = _find(root, location)
    if kind == "missing":
        return line, _join(key, str(location[-1])), "is required"
    if kind.startswith("union_tag"):
        return line, key, "type must be double, int or categorical"
    return line, key, f"must be {_wanted(kind, context)}, not {_brief(details['input'])}"


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
    "greater_than_equal": "at least {ge}",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "less_than": "below {lt}",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "string_pattern_mismatch": "letters, digits, _ and -, not starting with a digit",
    "string_too_long": "at most {max_length} characters",
    "string_too_short": "at least {min_length} character(s)",
    "string_type": "text (quote it)",
    "too_short": "a list of at least {min_length}",
    "tuple_type": "a list",
}


def _find(root: yaml.Node, location: Sequence[str | int]) -> tuple[int, str]:
    """The line (from 1) and the dotted key of the deepest node on the way to `location`."""
    node, line, key = root, root.start_mark.line + 1, ""
    for part in location:
        if isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            if part >= len(node.value):
                break
            node = node.value[part]
            line, key = node.start_mark.line + 1, f"{key}[{part}]"
        elif isinstance(node, yaml.MappingNode):
            entry = next(((k, v) for k, v in node.value if k.value == part), None)
            if entry is not None:  # pydantic also names the union's branch, which no file holds
                line, node, key = entry[0].start_mark.line + 1, entry[1], _join(key, str(part))
    return line, key


def _join(key: str, part: str) -> str:
    return f"{key}.{part}" if key else part


def _brief(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
