"""The user's command as a template: `{learning_rate}` stands for the trial's value."""

import shlex
from collections import defaultdict
from collections.abc import Iterator, Mapping
from string import Formatter

from sigopt_orchestrate.spec.parameters import Value

Command = str | tuple[str, ...]
"""A shell line, or a program and its arguments."""


def placeholders(template: str) -> Iterator[str]:
    """Yields the names in braces, in order; doubled braces stand for themselves.

    Raises:
        ValueError: If the braces of `template` do not match, or hold more than a name.
    """
    try:
        fields = list(Formatter().parse(template))
    except ValueError as error:
        raise ValueError(f"{template!r} is no template ({error}); double literal braces") from None
    for _, name, format_spec, conversion in fields:
        if name is None:
            continue
        if format_spec or conversion or not name:
            raise ValueError(f"{template!r} may hold only {{name}} in braces; double literal ones")
        yield name


def fill(template: str, assignments: Mapping[str, Value]) -> str:
    """Returns `template` with every name in braces replaced by its value.

    A name without a value, as that of a parameter that does not count, is replaced by nothing.
    Floats are written with `repr`, so that the program reads the very number that was chosen.
    """
    return _filled(template, {k: _text(v) for k, v in assignments.items()}, missing="")


def argv(command: Command, assignments: Mapping[str, Value]) -> list[str]:
    """Returns the arguments to execute for one trial.

    A shell line runs under `sh -c` with every value quoted; a list is executed as it is.

    Example:
        >>> argv(("train", "--lr={lr}"), {"lr": 0.1})
        ['train', '--lr=0.1']
        >>> argv("train --name {name} | tee log", {"name": "a b"})
        ['/bin/sh', '-c', "train --name 'a b' | tee log"]
    """
    if isinstance(command, str):
        quoted = {name: shlex.quote(_text(value)) for name, value in assignments.items()}
        return ["/bin/sh", "-c", _filled(command, quoted, missing="''")]
    return [fill(part, assignments) for part in command]


def _filled(template: str, values: Mapping[str, str], missing: str) -> str:
    return Formatter().vformat(template, (), defaultdict(lambda: missing, values))


def _text(value: Value) -> str:
    return repr(value) if isinstance(value, float) else str(value)
