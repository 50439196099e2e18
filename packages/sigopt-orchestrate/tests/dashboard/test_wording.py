import pytest

from sigopt_orchestrate.dashboard.wording import duration, improvement, number, shorten


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, ""),
        (0.04, "0.0 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min 0 s"),
        (3599.6, "1 h 0 min"),
        (90000, "1 d 1 h"),
    ],
)
def test_durations_have_two_units_and_never_sixty_of_one(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("gained", "reference", "text"),
    [(0.0, 1.0, "equal"), (0.5, -2.0, "25 % better"), (-2.0, 0.0, "2 worse")],
)
def test_a_gain_is_relative_where_the_reference_is_not_zero(gained, reference, text):
    assert improvement(gained, reference) == text


def test_values_keep_their_kind():
    assert [number(v) for v in (3, 0.1 + 0.2, 1e-7, "3")] == ["3", "0.3", "1e-07", "3"]
    assert shorten("abcdef", 4) == "abc…"
