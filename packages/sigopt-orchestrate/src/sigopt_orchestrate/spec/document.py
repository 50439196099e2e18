"""Reads YAML documents as nodes that know their file and line; a file may extend another."""

from pathlib import Path

import yaml

from sigopt_orchestrate.errors import SpecError

EXTENDS = "extends"


def read_document(path: Path, above: tuple[Path, ...] = ()) -> yaml.Node:
    """Returns the file's document; where it has the key `extends`, with that file's keys as well.

    A key that both files have counts as it stands in the extending one, whole.

    Args:
        path: The file.
        above: The files that extend it, resolved.

    Raises:
        SpecError: If a file cannot be read or is not YAML, or files extend each other in a circle.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise SpecError(f"{path}: cannot read the experiment file: {reason}") from None
    root = compose(text, str(path))
    if not isinstance(root, yaml.MappingNode):
        return root
    own = [(key, value) for key, value in root.value if key.value != EXTENDS]
    for key, value in root.value:
        if key.value == EXTENDS:
            under = _extended(path, key, value, (*above, path.resolve()))
            given = {key.value for key, _ in own}
            inherited = [entry for entry in under.value if entry[0].value not in given]
            return yaml.MappingNode(root.tag, inherited + own, root.start_mark, root.end_mark)
    return root


def compose(text: str, name: str) -> yaml.Node:
    """Returns the YAML document `text` as nodes whose marks bear `name`.

    Raises:
        SpecError: If it is empty, not YAML, or has a key twice.
    """
    try:
        loader = yaml.SafeLoader(text)
    except yaml.reader.ReaderError as error:
        raise SpecError(f"{name}: not valid YAML: {error.reason}") from None
    loader.name = name
    try:
        root = loader.get_single_node()
        if root is None:
            raise SpecError(f"{name}: the experiment file is empty")
        _refuse_repeated_keys(root)
    except yaml.MarkedYAMLError as error:
        raise _not_yaml(error, name) from None
    except RecursionError:
        raise SpecError(f"{name}: nested too deeply, or within itself") from None
    finally:
        loader.dispose()
    return root


def construct(root: yaml.Node, name: str) -> object:
    """Returns the plain values of a document.

    Raises:
        SpecError: If a value is not what its tag says, such as a date of month 13.
    """
    loader = yaml.SafeLoader("")
    try:
        return loader.construct_document(root)
    except yaml.MarkedYAMLError as error:
        raise _not_yaml(error, name) from None
    except (ValueError, AttributeError, OverflowError, RecursionError) as error:
        raise SpecError(f"{name}: a value is not what it looks like: {error}") from None
    finally:
        loader.dispose()


def place(mark: yaml.Mark) -> str:
    """Returns `file:line`, lines from 1."""
    return f"{mark.name}:{mark.line + 1}"


def _not_yaml(error: yaml.MarkedYAMLError, name: str) -> SpecError:
    """Returns what to say of a text that is not YAML."""
    mark = error.problem_mark or error.context_mark
    return SpecError(f"{place(mark) if mark else name}: not valid YAML: {error.problem}")


def _extended(
    path: Path, key: yaml.Node, value: yaml.Node, above: tuple[Path, ...]
) -> yaml.MappingNode:
    where = f"{place(key.start_mark)}: {EXTENDS}"
    if not isinstance(value, yaml.ScalarNode) or not value.value:
        raise SpecError(f"{where}: must be the path of one experiment file, relative to this one")
    file = path.parent / value.value
    if file.resolve() in above:
        raise SpecError(f"{where}: {value.value} is extended by itself")
    if not file.is_file():
        raise SpecError(f"{where}: there is no file {file}")
    under = read_document(file, above)
    if not isinstance(under, yaml.MappingNode):
        raise SpecError(f"{where}: {file} is not a mapping of keys to values")
    return under


def _refuse_repeated_keys(node: yaml.Node) -> None:
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            if key.value in seen:
                where = place(key.start_mark)
                raise SpecError(f"{where}: {key.value}: the key is given twice")
            seen.add(key.value)
            _refuse_repeated_keys(value)
    elif isinstance(node, yaml.SequenceNode):
        for child in node.value:
            _refuse_repeated_keys(child)
