"""Commands as templates."""

import shlex
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigopt_orchestrate.spec import argv, placeholders

printable = st.text(st.characters(blacklist_categories=["Cs", "Cc"]), max_size=20)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_float_arrives_as_the_very_number(value: float) -> None:
    (argument,) = argv(("{x}",), {"x": value})
    assert float(argument) == value


@given(printable)
def test_a_list_passes_any_text_as_one_argument(value: str) -> None:
    assert argv(("prog", "--a={x}"), {"x": value}) == ["prog", f"--a={value}"]


@given(printable)
def test_a_shell_line_quotes_any_text(value: str) -> None:
    *_, line = argv("prog {x}", {"x": value})
    assert shlex.split(line) == ["prog", value]


def test_a_shell_cannot_be_broken_into() -> None:
    done = subprocess.run(
        argv("printf %s {x}", {"x": "a; echo $HOME '\""}), capture_output=True, check=True
    )
    assert done.stdout == b"a; echo $HOME '\""


def test_doubled_braces_are_literal() -> None:
    assert argv(("{{x}}{x}",), {"x": 1}) == ["{x}1"]


@pytest.mark.parametrize("template", ["{", "}", "{}", "{x:>3}", "{x!r}"])
def test_anything_but_a_name_in_braces_is_refused(template: str) -> None:
    with pytest.raises(ValueError, match=r"brace|literal"):
        list(placeholders(template))
